import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { Audit } from '#registry';
import { Allow } from '../auth/allow';
import { IsText, Optional } from './name';
import { PageQuery, pageRequest, pageView } from './page.dto';

class AuditQuery extends PageQuery {
  @ApiPropertyOptional({ example: 'client:loyalty-eu' })
  @Optional()
  @IsText(100)
  target?: string;
}

class AuditView {
  @ApiProperty({ description: 'Rises with every change.' })
  seq: string;

  @ApiProperty({ format: 'date-time' })
  at: string;

  @ApiProperty({ example: 'admin:bootstrap' })
  actor: string;

  @ApiProperty({ example: 'client.created' })
  action: string;

  @ApiProperty({ example: 'client:loyalty-eu' })
  target: string;

  @ApiProperty({ type: 'object', additionalProperties: true })
  detail: unknown;

  @ApiPropertyOptional()
  request_id?: string;
}

class AuditPageView {
  @ApiProperty({ type: [AuditView] })
  items: AuditView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

@ApiTags('ops')
@ApiBearerAuth()
@Controller('v1/audit')
export class AuditController {
  constructor(private readonly audit: Audit) {}

  /** Who changed what, the newest first. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: AuditPageView })
  async list(@Query() { target, ...page }: AuditQuery): Promise<AuditPageView> {
    const request = pageRequest(page, (after) => /^\d{1,18}$/.test(after));
    const found = await this.audit.list({ ...request, ...(target !== undefined && { target }) });
    return pageView(found, ({ seq, at, actor, action, target: of, detail, requestId }) => ({
      seq,
      at: at.toISOString(),
      actor,
      action,
      target: of,
      detail,
      ...(requestId !== null && { request_id: requestId }),
    }));
  }
}
