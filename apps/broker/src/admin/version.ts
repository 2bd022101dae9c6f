import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { IsInt, Max, Min } from 'class-validator';
import { Optional } from './name';

/** What PostgreSQL's integer holds. */
const max = 2_147_483_647;

/** The version of a provider's definition, which may be left out. */
export const IsVersion = (description: string): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ minimum: 1, description }),
    Optional(),
    IsInt({ message: '$property must be a whole number' }),
    Min(1),
    Max(max),
  );

export function isVersion(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max;
}
