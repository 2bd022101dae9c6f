import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Granted, GrantRecord } from '#registry';
import { invalid } from '../problem';
import { IsLabel } from './labels';
import { IsText, Optional } from './name';
import { PageQuery } from './page.dto';

export class CreateGrantDto {
  @ApiProperty()
  @IsText()
  service: string;

  @ApiPropertyOptional({ description: 'One client, by name.' })
  @Optional()
  @IsText()
  client?: string;

  @ApiPropertyOptional({ example: 'team=loyalty', description: 'Every client carrying it, now and later.' })
  @Optional()
  @IsLabel()
  label?: string;
}

export class ListGrantsQuery extends PageQuery {
  @ApiPropertyOptional()
  @Optional()
  @IsText()
  service?: string;

  @ApiPropertyOptional()
  @Optional()
  @IsText()
  client?: string;
}

export class GrantView {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty()
  service: string;

  @ApiPropertyOptional()
  client?: string;

  @ApiPropertyOptional({ example: 'team=loyalty' })
  label?: string;

  @ApiProperty({ format: 'date-time' })
  created_at: string;
}

export class GrantPageView {
  @ApiProperty({ type: [GrantView] })
  items: GrantView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

export function granted({ client, label }: CreateGrantDto): Granted {
  if (client !== undefined && label === undefined) return { client };
  if (label !== undefined && client === undefined) return { label };
  throw invalid('', 'a grant names either a client or a label');
}

export function grantView({ id, service, client, label, createdAt }: GrantRecord): GrantView {
  return {
    id,
    service,
    ...(client !== null && { client }),
    ...(label !== null && { label }),
    created_at: createdAt.toISOString(),
  };
}
