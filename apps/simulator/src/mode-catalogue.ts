/**
 * Every switch by which the simulator can be told to misbehave: its name, its settings, and the JSON Schema that
 * refuses a typo. Settings are objects; `shorthand` names the one property a bare value stands for, so that
 * `{"outage": 503}` reads as `{"outage": {"status": 503}}`.
 */

/** Switches about how an answer travels: they work on the token route and on the resource endpoint alike. */
export interface AnswerModes {
  latency_ms: { value: number };
  slow_body_ms: { value: number };
  silence: object;
  reset_before_headers: object;
  reset_after_headers: object;
  outage: { status?: 500 | 502 | 503 | 504; body?: 'json' | 'html' };
  throttle: { retry_after?: RetryAfterForm; seconds?: number; status?: 429 | 503 };
  html_200: object;
  empty_200: object;
  errors_in_200: { code?: number; message?: string };
  truncated: object;
  oversized: { bytes?: number };
  gzip_bomb: object;
  wrong_content_type: { value?: string };
}

export type RetryAfterForm = 'seconds' | 'http_date' | 'absent' | 'absurd' | 'nonsense';

/** Switches of the token route only. */
export interface TokenModes extends AnswerModes {
  refusal_status: { value: 200 | 400 | 401 | 403 };
  flapping_refusal: { every: number };
  single_live: object;
  same_token_again: { life?: 'remaining' | 'full' };
  reset_after_issuing: object;
  ttl_value: { value: unknown };
  ttl_missing: object;
  real_ttl_seconds: { value: number };
  clock_skew_seconds: { value: number };
  raw_control_character: object;
  cheap_tokens: object;
}

/** Switches of the resource endpoint only. */
export interface ResourceModes extends AnswerModes {
  invalid_status: { value: number };
  expired_status: { value: number };
  no_access: object;
  access_group: { code: 4000 | 4001 };
}

interface ModeShape {
  shorthand: string;
  properties: Record<string, object>;
  required: string[];
}

const flag: ModeShape = { shorthand: 'value', properties: {}, required: [] };
const whole = { type: 'integer', minimum: 0 };
const status = { type: 'integer', enum: [200, 400, 401, 403, 498] };

function required(shorthand: string, schema: object): ModeShape {
  return { shorthand, properties: { [shorthand]: schema }, required: [shorthand] };
}

function optional(shorthand: string, properties: Record<string, object>): ModeShape {
  return { shorthand, properties, required: [] };
}

const answerShapes: Record<keyof AnswerModes, ModeShape> = {
  latency_ms: required('value', whole),
  slow_body_ms: required('value', whole),
  silence: flag,
  reset_before_headers: flag,
  reset_after_headers: flag,
  outage: optional('status', { status: { enum: [500, 502, 503, 504] }, body: { enum: ['json', 'html'] } }),
  throttle: optional('retry_after', {
    retry_after: { enum: ['seconds', 'http_date', 'absent', 'absurd', 'nonsense'] },
    seconds: whole,
    status: { enum: [429, 503] },
  }),
  html_200: flag,
  empty_200: flag,
  errors_in_200: optional('code', { code: { type: 'integer' }, message: { type: 'string' } }),
  truncated: flag,
  oversized: optional('bytes', { bytes: { type: 'integer', minimum: 1, maximum: 100_000_000 } }),
  gzip_bomb: flag,
  wrong_content_type: optional('value', { value: { type: 'string' } }),
};

export const tokenShapes: Record<keyof TokenModes, ModeShape> = {
  ...answerShapes,
  refusal_status: required('value', { enum: [200, 400, 401, 403] }),
  flapping_refusal: required('every', { type: 'integer', minimum: 1 }),
  single_live: flag,
  same_token_again: optional('life', { life: { enum: ['remaining', 'full'] } }),
  reset_after_issuing: flag,
  ttl_value: required('value', {}),
  ttl_missing: flag,
  real_ttl_seconds: required('value', { type: 'number' }),
  clock_skew_seconds: required('value', { type: 'integer' }),
  raw_control_character: flag,
  cheap_tokens: flag,
};

export const resourceShapes: Record<keyof ResourceModes, ModeShape> = {
  ...answerShapes,
  invalid_status: required('value', status),
  expired_status: required('value', status),
  no_access: flag,
  access_group: required('code', { enum: [4000, 4001] }),
};

/** The schema of a whole set of modes in full form, as `inFull` leaves it. */
export function schemaOf(shapes: Record<string, ModeShape>): object {
  const properties: Record<string, object> = {};
  for (const [name, shape] of Object.entries(shapes)) {
    properties[name] = {
      type: 'object',
      properties: {
        ...shape.properties,
        times: { type: 'integer', minimum: 1 },
        after_calls: whole,
        off: { const: true },
      },
      // `off` only switches a global mode off for one client, so it needs nothing beside it.
      if: { type: 'object', required: ['off'], properties: { off: {} } },
      else: { type: 'object', required: shape.required, properties: shape.properties },
      additionalProperties: false,
    };
  }
  return { type: 'object', properties, additionalProperties: false };
}

/** Writes shorthands out: `true` -> `{}`, `false` -> `{off: true}`, a bare value -> `{[shorthand]: value}`. */
export function inFull(modes: unknown, shapes: Record<string, ModeShape>): unknown {
  if (!isObject(modes)) return modes;
  const full = Object.entries(modes).map(([name, setting]) => {
    if (isObject(setting)) return [name, setting];
    if (typeof setting === 'boolean') return [name, setting ? {} : { off: true }];
    return [name, { [shapes[name]?.shorthand ?? 'value']: setting }];
  });
  return Object.fromEntries(full);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
