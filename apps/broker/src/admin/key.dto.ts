import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsISO8601, IsOptional } from 'class-validator';
import type { Role } from '#registry';
import { invalid } from '../problem';
import { IsName } from './name';

export const roles: Role[] = ['admin', 'operator', 'viewer'];

export class IssueKeyDto {
  @ApiPropertyOptional({ format: 'date-time', description: 'Absent: the key does not expire.' })
  @IsOptional()
  @IsISO8601({ strict: true }, { message: 'expires_at must be a date and time, such as 2030-01-31T00:00:00Z' })
  expires_at?: string;
}

export class IssueAdminKeyDto extends IssueKeyDto {
  @IsName()
  name: string;

  @ApiProperty({ enum: roles })
  @IsIn(roles, { message: `role must be one of ${roles.join(', ')}` })
  role: Role;
}

/** A key that is dead from the start is a mistake, not a wish. */
export function expiry({ expires_at }: IssueKeyDto): Date | null {
  if (expires_at === undefined || expires_at === null) return null;
  const at = new Date(expires_at);
  if (at.getTime() > Date.now()) return at;
  throw invalid('/expires_at', 'expires_at must lie in the future');
}
