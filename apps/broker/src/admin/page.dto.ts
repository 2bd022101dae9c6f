import { applyDecorators } from '@nestjs/common';
import { ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { IsInt, IsString, Matches, Max, MaxLength, Min } from 'class-validator';
import type { Page } from '#registry';
import { invalid } from '../problem';
import { Optional } from './name';

const defaultLimit = 50;

/** How many items a page has at most. */
export const IsLimit = (maximum: number, byDefault: number): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ minimum: 1, maximum, default: byDefault }),
    Transform(({ value }) => (/^\d+$/.test(String(value)) ? Number(value) : value)),
    IsInt({ message: 'limit must be a whole number' }),
    Min(1),
    Max(maximum),
  );

/** What was told as `next_cursor`. */
export const IsCursor = (): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ description: '`next_cursor` of the page before.' }),
    Optional(),
    IsString(),
    MaxLength(400),
    Matches(/^[A-Za-z0-9_-]+$/, { message: 'cursor must be a next_cursor that was returned' }),
  );

export class PageQuery {
  @IsLimit(200, defaultLimit)
  limit = defaultLimit;

  @IsCursor()
  cursor?: string;
}

/**
 * The cursor is opaque, so that what it stands for may change.
 * @param isCursor whether a text can have come from a page of that kind
 */
export function pageRequest(
  { limit, cursor }: PageQuery,
  isCursor: (after: string) => boolean,
): { limit: number; after?: string } {
  if (cursor === undefined) return { limit };
  const after = Buffer.from(cursor, 'base64url').toString('utf8');
  if (!isCursor(after)) throw invalid('/cursor', 'cursor must be a next_cursor that was returned');
  return { limit, after };
}

export function pageView<T, V>({ items, next }: Page<T>, view: (item: T) => V): { items: V[]; next_cursor?: string } {
  return {
    items: items.map(view),
    ...(next !== undefined && { next_cursor: Buffer.from(next).toString('base64url') }),
  };
}
