import { isText } from '../failures/condition';
import { jsonIn } from '../json';
import type { LifeUnit, TimeFormat } from '../language/definition';
import type { CompiledDefinition } from '../language/compiled-definition';
import type { Names } from '../templates/template';

const tenYearsSeconds = 315_360_000;
/** For `auto`: no provider known to us gives a life of more than a day in seconds as well as lives in milliseconds. */
const autoMaxSeconds = 86_400;
/** How far the rounding of a provider may go when its JWT and its answer tell the same life. */
const roundingSeconds = 5;
/** `Date` has whole seconds, cut off, and is written after the request was sent: nothing nearer is a difference. */
const sameClockMs = 2_000;
/** A `Date` further off than this is no clock that the provider could issue tokens by. */
const maxClockDifferenceMs = 86_400_000;

/** When the request was sent, and what the provider's clock said when it answered, ms since 1970. */
export interface Moment {
  sentAt: number;
  /** The answer's `Date` (RFC 9110 6.6.1). */
  providerDate?: string | undefined;
}

/**
 * Life of a token in seconds from `sentAt`, as the definition's `token.expiry` reads it. Points in time are the provider's,
 * and so taken against its own clock where it tells that.
 *
 * @returns undefined when no entry yields one; 0 or less when the token is dead on arrival
 */
export function lifeSeconds(
  { definition, lives }: CompiledDefinition,
  names: Names,
  token: string,
  moment: Moment,
): number | undefined {
  const { expiry } = definition.token;
  const now = providerNow(moment);
  let told: number | undefined;
  for (const [index, entry] of expiry.entries()) {
    const value = () => lives[index]?.value(names);
    if ('in' in entry)
      told = entry.never_if?.some((text) => isText(value(), text))
        ? tenYearsSeconds
        : relative(value(), entry.unit ?? 's');
    else if ('at' in entry) told = secondsUntil(pointInTime(value(), entry.format ?? 'auto'), now);
    else if ('fixed_s' in entry) told = entry.fixed_s;
    else if ('never' in entry) told = tenYearsSeconds;
    else told = jwtSeconds(token, undefined, now);
    if (told !== undefined) break;
  }
  if (told === undefined) return undefined;
  const byJwt = expiry.some((entry) => 'jwt_exp' in entry) ? jwtSeconds(token, told, now) : undefined;
  return Math.min(told, byJwt ?? told, definition.renew?.max_ttl_s ?? tenYearsSeconds);
}

function providerNow({ sentAt, providerDate }: Moment): number {
  const date = providerDate === undefined ? NaN : Date.parse(providerDate);
  const difference = Math.abs(date - sentAt);
  // Taken at the end of its second, since a life is rather told too short than too long.
  return difference > sameClockMs && difference <= maxClockDifferenceMs ? date + 1000 : sentAt;
}

function secondsUntil(at: number | undefined, now: number): number | undefined {
  return at === undefined ? undefined : (at - now) / 1000;
}

const unitSeconds = { s: 1, ms: 0.001, min: 60, h: 3600, d: 86_400 };
const number = /^\s*[+-]?\d{1,30}(\.\d{1,30})?\s*$/;

/** A life told as a number or a text. Anything else is as if it were missing. */
function relative(value: unknown, unit: LifeUnit): number | undefined {
  if (typeof value === 'string' && (unit === 'hms' || unit === 'dhm')) return clockDuration(value, unit);
  if (typeof value === 'string' && unit === 'iso') return isoDuration(value);
  const told = numberOf(value);
  if (told === undefined || unit === 'hms' || unit === 'dhm' || unit === 'iso') return undefined;
  // A wrong guess errs towards the shorter life.
  return told * unitSeconds[unit === 'auto' ? (told > autoMaxSeconds ? 'ms' : 's') : unit];
}

function numberOf(value: unknown): number | undefined {
  if (typeof value !== 'number' && !(typeof value === 'string' && number.test(value))) return undefined;
  return Number.isFinite(Number(value)) ? Number(value) : undefined;
}

/** "177:05:38": hours, minutes and seconds, or days, hours and minutes; "1.02:03:04" has days before the point. */
function clockDuration(text: string, unit: 'hms' | 'dhm'): number | undefined {
  const match = /^\s*(?:(\d{1,6})\.)?(\d{1,9}):(\d{1,2})(?::(\d{1,2})(?:\.\d{1,9})?)?\s*$/.exec(text);
  if (!match) return undefined;
  const [days, a, b, c] = match.slice(1).map((part) => Number(part ?? 0)) as [number, number, number, number];
  return unit === 'hms' ? days * 86_400 + a * 3600 + b * 60 + c : a * 86_400 + b * 3600 + c * 60;
}

/** ISO 8601: P1DT2H3M4S. Months and years have no fixed length, and are not taken. */
function isoDuration(text: string): number | undefined {
  const amount = String.raw`(\d{1,9}(?:\.\d{1,9})?)`;
  const pattern = new RegExp(`^P(?:${amount}W)?(?:${amount}D)?(?:T(?:${amount}H)?(?:${amount}M)?(?:${amount}S)?)?$`);
  const match = /\d/.test(text) ? pattern.exec(text.trim()) : null;
  if (!match) return undefined;
  const weights = [604_800, 86_400, 3600, 60, 1];
  return match.slice(1).reduce((sum, part, index) => sum + Number(part ?? 0) * weights[index]!, 0);
}

const isoTime =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?([.,]\d{1,12})?\s?(Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?)?$/i;
const httpTime = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [\w :+-]+$/;
const dotNetTime = /^\/?Date\((-?\d{1,15})([+-]\d{4})?\)\/?$/;

/** ms since 1970 */
function pointInTime(value: unknown, format: TimeFormat): number | undefined {
  const told = numberOf(value);
  if (told !== undefined) {
    if (format === 'epoch_s') return told * 1000;
    if (format === 'epoch_ms') return told;
    // Seconds reach this number in the year 5138, milliseconds had it in 1973.
    return format === 'auto' && told > 0 ? told * (told < 1e11 ? 1000 : 1) : undefined;
  }
  if (typeof value !== 'string') return undefined;
  const text = value.trim();
  const any = format === 'auto';
  if ((any || format === 'iso') && isoTime.test(text)) return isoMs(text);
  if ((any || format === 'http') && httpTime.test(text)) return finite(Date.parse(text));
  const [, ms] = (any && dotNetTime.exec(text)) || [];
  return ms === undefined ? undefined : Number(ms);
}

/** Without a zone it is UTC; zones also as +0530 and +05. */
function isoMs(text: string): number | undefined {
  const [, day, time = '00:00', seconds = ':00', fraction = '', zone = 'Z'] = isoTime.exec(text)!;
  const [, sign, hours, minutes = '00'] = /^([+-])(\d{2}):?(\d{2})?$/.exec(zone) ?? [];
  const offset = sign === undefined ? 'Z' : `${sign}${hours}:${minutes}`;
  return finite(Date.parse(`${day}T${time}${seconds}${fraction.replace(',', '.').slice(0, 4)}${offset}`));
}

function finite(ms: number): number | undefined {
  return Number.isFinite(ms) ? ms : undefined;
}

/**
 * Seconds until the token's `exp` (RFC 7519 4.1.4). The token stays opaque otherwise: one that is not a JWT, or whose payload
 * is not valid JSON (a documented sample of Capillary's is not), has none.
 */
function jwtSeconds(token: string, told: number | undefined, now: number): number | undefined {
  const { exp, iat } = claims(token);
  if (exp === undefined) return undefined;
  const left = exp - now / 1000;
  // Dead on our clock, and yet its own two times span the life that was told: the clocks disagree, not the provider.
  const spansLife = told !== undefined && iat !== undefined && Math.abs(exp - iat - told) <= roundingSeconds;
  return left <= 0 && spansLife ? told : left;
}

function claims(token: string): { exp?: number; iat?: number } {
  const payload = jsonIn(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
  const { exp, iat } = (payload ?? {}) as { exp?: unknown; iat?: unknown };
  return { ...(Number.isFinite(exp) && { exp: exp as number }), ...(Number.isFinite(iat) && { iat: iat as number }) };
}
