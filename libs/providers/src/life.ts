import type { CompiledDefinition } from './compiled-definition';
import type { Scope } from './template';

const tenYearsSeconds = 315_360_000;
/** For `auto`: no provider known to us gives a life of more than a day in seconds as well as lives in milliseconds. */
const autoMaxSeconds = 86_400;
/** How far the rounding of a provider may go when its JWT and its answer tell the same life. */
const roundingSeconds = 5;

const unitSeconds = { s: 1, ms: 0.001, min: 60 };

/**
 * Life of a token in seconds from `sentAt`, as the definition's `token.expiry` reads it.
 *
 * @returns undefined when no entry yields one; 0 or less when the token is dead on arrival
 */
export function lifeSeconds(
  { definition, lives }: CompiledDefinition,
  scope: Scope,
  token: string,
  sentAt: number,
): number | undefined {
  const { expiry } = definition.token;
  let told: number | undefined;
  for (const [index, entry] of expiry.entries()) {
    if ('in' in entry) told = inSeconds(lives[index]?.value(scope), entry.unit ?? 's');
    else if ('fixed_s' in entry) told = entry.fixed_s;
    else told = jwtSeconds(token, undefined, sentAt);
    if (told !== undefined) break;
  }
  if (told === undefined) return undefined;
  const byJwt = expiry.some((entry) => 'jwt_exp' in entry) ? jwtSeconds(token, told, sentAt) : undefined;
  return Math.min(told, byJwt ?? told, definition.renew?.max_ttl_s ?? tenYearsSeconds);
}

/** A number, or a text that is one. Anything else is as if it were missing. */
function inSeconds(value: unknown, unit: 's' | 'ms' | 'min' | 'auto'): number | undefined {
  const isText = typeof value === 'string' && /^\s*-?\d{1,30}(\.\d{1,30})?\s*$/.test(value);
  if (!isText && typeof value !== 'number') return undefined;
  const number = Number(value);
  if (!Number.isFinite(number)) return undefined;
  // A wrong guess errs towards the shorter life.
  return number * unitSeconds[unit === 'auto' ? (number > autoMaxSeconds ? 'ms' : 's') : unit];
}

/**
 * Seconds until the token's `exp` (RFC 7519 4.1.4). The token stays opaque otherwise: one that is not a JWT, or whose payload
 * is not valid JSON (a documented sample of Capillary's is not), has none.
 */
function jwtSeconds(token: string, told: number | undefined, sentAt: number): number | undefined {
  const { exp, iat } = claims(token);
  if (exp === undefined) return undefined;
  const left = exp - sentAt / 1000;
  // Dead on our clock, and yet its own two times span the life that was told: the clocks disagree, not the provider.
  const spansLife = told !== undefined && iat !== undefined && Math.abs(exp - iat - told) <= roundingSeconds;
  return left <= 0 && spansLife ? told : left;
}

function claims(token: string): { exp?: number; iat?: number } {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const { exp, iat } = payload as { exp?: unknown; iat?: unknown };
    return { ...(Number.isFinite(exp) && { exp: exp as number }), ...(Number.isFinite(iat) && { iat: iat as number }) };
  } catch {
    return {};
  }
}
