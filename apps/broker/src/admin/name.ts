import { applyDecorators, type PipeTransform } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { Matches, ValidateIf } from 'class-validator';
import { Problem } from '../problem';

/** Names stand in URLs, metrics and logs. */
const pattern = /^[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?$/;
const rule = 'must be 1 to 63 of a-z 0-9 . _ -, beginning and ending with a letter or digit';

export const IsName = (): PropertyDecorator =>
  applyDecorators(
    ApiProperty({ pattern: pattern.source, example: 'loyalty-eu' }),
    Matches(pattern, { message: `$property ${rule}` }),
  );

/** A text that asks for something by name, or by a part of it. Whether it fits the pattern is no matter: what does not is not found. */
export const IsText = (maxChars = 63): PropertyDecorator =>
  Matches(new RegExp(`^[^\\0]{1,${maxChars}}$`, 's'), {
    message: `$property must be a string of 1 to ${maxChars} characters, without NUL`,
  });

/** May be left out. `null` is no way to leave it out: it would reach places that expect a value. */
export const Optional = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined);

export function isName(text: string): boolean {
  return pattern.test(text);
}

/** A name in a path. What cannot be a name is not found, and not looked for. */
export class NamePipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!isName(value)) throw new Problem('not_found', 'There is nothing of that name.');
    return value;
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function isId(text: string): boolean {
  return uuid.test(text);
}

/** An id in a path. What is no id at all is not found, as one that is unknown. */
export class IdPipe implements PipeTransform<string, string> {
  transform(value: string): string {
    if (!isId(value)) throw new Problem('not_found', 'There is nothing of that id.');
    return value;
  }
}
