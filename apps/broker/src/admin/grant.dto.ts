import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsOptional, Length, Matches } from 'class-validator';
import type { Grants } from '#registry';
import { Problem } from '../problem';
import { labelPattern } from './labels';
import { PageQuery } from './page.dto';

type GrantRecord = Awaited<ReturnType<Grants['create']>>;

export class CreateGrantDto {
  @ApiProperty()
  @Length(1, 63, { message: '$property must be a string of 1 to 63 characters' })
  service: string;

  @ApiPropertyOptional({ description: 'One client, by name.' })
  @IsOptional()
  @Length(1, 63, { message: '$property must be a string of 1 to 63 characters' })
  client?: string;

  @ApiPropertyOptional({ example: 'team=loyalty', description: 'Every client carrying it, now and later.' })
  @IsOptional()
  @Matches(labelPattern, { message: 'label must be of the form key=value' })
  label?: string;
}

export class ListGrantsQuery extends PageQuery {
  @ApiPropertyOptional()
  @IsOptional()
  @Length(1, 63, { message: '$property must be a string of 1 to 63 characters' })
  service?: string;

  @ApiPropertyOptional()
  @IsOptional()
  @Length(1, 63, { message: '$property must be a string of 1 to 63 characters' })
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

export function granted({ client, label }: CreateGrantDto): { client: string } | { label: string } {
  if (client !== undefined && label === undefined) return { client };
  if (label !== undefined && client === undefined) return { label };
  const detail = 'a grant names either a client or a label';
  throw new Problem('validation_failed', `${detail}.`, { errors: [{ pointer: '', detail }] });
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
