import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { ReadAudit, type TokenReads } from '#registry';
import { Allow } from '../auth/allow';
import { isId, IsText, Optional } from './name';
import { PageQuery, pageRequest, pageView } from './page.dto';
import { IsTime } from './time';

class ReadsQuery extends PageQuery {
  @ApiPropertyOptional({ example: 'checkout' })
  @Optional()
  @IsText()
  service?: string;

  @ApiPropertyOptional({ example: 'loyalty-eu' })
  @Optional()
  @IsText()
  client?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'From this moment on.' })
  @Optional()
  @IsTime()
  from?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Before this moment.' })
  @Optional()
  @IsTime()
  to?: string;
}

class ReadsView {
  @ApiProperty({ format: 'date-time', description: 'When the first of them was.' })
  at: string;

  @ApiProperty({ type: 'integer', description: 'So many within that second of the clock.' })
  reads: number;

  @ApiProperty()
  service: string;

  @ApiPropertyOptional({ description: 'Absent where the service showed no key of the broker.' })
  key_id?: string;

  @ApiProperty({ description: 'Its name at the time.' })
  client: string;

  @ApiProperty()
  client_id: string;

  @ApiProperty({ description: 'Which token: the ETag it was served with, without the quotes.' })
  generation: string;
}

class ReadsPageView {
  @ApiProperty({ type: [ReadsView] })
  items: ReadsView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

@ApiTags('ops')
@ApiBearerAuth()
@Controller('v1/audit/reads')
export class ReadsController {
  constructor(private readonly reads: ReadAudit) {}

  /** Which service had which token, the newest first; where `AUDIT_READS` is set, and some two seconds behind. Kept for 90 days. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: ReadsPageView })
  async list(@Query() { service, client, from, to, ...page }: ReadsQuery): Promise<ReadsPageView> {
    const found = await this.reads.list({
      ...pageRequest(page, isId),
      ...(service !== undefined && { service }),
      ...(client !== undefined && { client }),
      ...(from !== undefined && { from: new Date(from) }),
      ...(to !== undefined && { to: new Date(to) }),
    });
    return pageView(found, readsView);
  }
}

function readsView({ at, reads, service, keyId, client, clientId, generation }: TokenReads): ReadsView {
  return {
    ...{ at: at.toISOString(), reads, service },
    ...(keyId !== null && { key_id: keyId }),
    ...{ client, client_id: clientId, generation },
  };
}
