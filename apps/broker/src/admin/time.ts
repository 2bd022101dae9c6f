import { applyDecorators } from '@nestjs/common';
import { IsISO8601, Matches } from 'class-validator';

const rule = { message: '$property must be a time such as 2026-01-31T12:00:00Z' };

/** Of the forms of ISO 8601 those that mean the same everywhere: no week, no number of a day, no time without its zone. */
export const IsTime = (): PropertyDecorator =>
  applyDecorators(
    IsISO8601({ strict: true, strictSeparator: true }, rule),
    Matches(/^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/, rule),
  );
