import type { ProviderDefinition } from '#providers';
import type { LastFailure } from './store/token-store';

type Ways = NonNullable<ProviderDefinition['renew']>;

/** A number from [0, 1). */
export type Random = () => number;

const minuteMs = 60_000;
const probeRefusedMs = 5 * minuteMs;
const maxRetryAfterMs = 5 * minuteMs;
/** What a provider rounds, and the time between its issuing a token and our asking, by which its end may be later. */
const roundingMs = 1_500;
/** One request that is not answered (8 s), and a second one. */
const twoAttemptsMs = 20_000;

/** What a token's life means for serving and renewing it. Times in ms counted from before the request was sent. */
export interface Schedule {
  /** Never served past this: the life less a margin for clocks and for the request that will carry the token. */
  servableLifeMs: number;
  renewAtMs: number;
  /** From the end of serving to the end of life as the provider told it. */
  marginMs: number;
  /** How long before that end another token can be had at last; absent when that is not known. */
  nextBeforeEndMs?: number;
}

export interface TokenLife {
  /** What the token is taken to live. */
  lifeSeconds: number;
  /** What the provider said, when its client may have less of it. */
  toldSeconds?: number;
}

/**
 * In proportion to the token's life: a fixed margin would renew a short-lived token on every read. The spread keeps
 * clients that were registered together from renewing together for ever.
 */
export function scheduleOf(
  { lifeSeconds, toldSeconds = lifeSeconds }: TokenLife,
  ways: Ways,
  random: Random,
): Schedule {
  const lifeMs = lifeSeconds * 1_000;
  // A client that may have a part of the life only asks in its own time, and takes the same token as it comes.
  const windowMs = toldSeconds > lifeSeconds ? Infinity : (ways.sticky_window_s ?? Infinity) * 1_000;
  // Where there is no other token before, a wide margin would be a gap.
  const skewMs = Math.min(30_000, lifeMs * 0.1, Math.max(windowMs / 2, 1_000));
  const servableLifeMs = lifeMs - skewMs;
  const planned = { servableLifeMs, marginMs: toldSeconds * 1_000 - servableLifeMs };
  if (Number.isFinite(windowMs) && windowMs < lifeMs) {
    // Not at its very beginning, where one more repetition would cost the minimum interval of such a provider.
    const nextBeforeEndMs = windowMs - Math.max((0.1 + 0.2 * random()) * windowMs, roundingMs);
    return { ...planned, nextBeforeEndMs, renewAtMs: lifeMs - nextBeforeEndMs };
  }
  // Node's timers and Redis' scores are exact up to far beyond this, people's patience is not: at least once a month.
  const atMostMs = 30 * 24 * 60 * minuteMs;
  if (!ways.single_live) return { ...planned, renewAtMs: Math.min(lifeMs * (0.6 + 0.1 * random()), atMostMs) };
  // Each renewal ends the token that services hold: late, but not so late that one failure leaves them without.
  const latestMs = Math.max(0.7 * lifeMs, Math.min(0.88 * lifeMs, servableLifeMs - twoAttemptsMs));
  return { ...planned, renewAtMs: Math.min(latestMs * (1 - 0.09 * random()), atMostMs) };
}

/**
 * Whether a token that comes again has the end that it was told to have. It has not where its life is the definition's, or
 * the client's, and no answer tells another one: that of a session, which asking for it again prolongs. Nor is it known of
 * a token that was made without asking anyone.
 */
export function keepsItsEnd({ steps = [], token, renew }: ProviderDefinition): boolean {
  if (steps.length === 0) return false;
  if (renew?.sticky_window_s !== undefined) return true;
  const templates = token.expiry.map((entry) => ('in' in entry ? entry.in : 'at' in entry ? entry.at : undefined));
  const answered = templates.some((template) => template !== undefined && /\b(steps|values)\b/.test(template));
  return answered || token.expiry.every((entry) => 'jwt_exp' in entry);
}

/** ms between two requests for a client of this provider, at least. */
export function minIntervalOf({ renew }: ProviderDefinition): number {
  return (renew?.min_interval_s ?? 0) * 1_000;
}

/** The request may have arrived, and a token been issued, and nobody knows it. */
export function answerWasLost(failure: LastFailure | undefined): boolean {
  return failure !== undefined && failure.reached !== false && failure.providerStatus === undefined;
}

/**
 * When to try again after a failure.
 * @param failures in a row, the present one included
 * @param refusals in a row, the present one included; two confirm, since one alone has been seen to pass
 * @param servable whether a token is still being served meanwhile
 */
export function retryDelayMs(
  { code, retryAfterSeconds = 0 }: Pick<LastFailure, 'code' | 'retryAfterSeconds'>,
  { failures, refusals, servable }: { failures: number; refusals: number; servable: boolean },
  random: Random,
): number {
  if (code === 'credentials_refused' && refusals >= 2) return probeRefusedMs * (0.8 + 0.4 * random());
  const ceilingMs = servable ? 30_000 : 5 * minuteMs;
  const backoffMs = (0.25 + 0.75 * random()) * Math.min(ceilingMs, 1_000 * 2 ** Math.min(failures - 1, 20));
  const askedMs = Math.min(retryAfterSeconds * 1_000, maxRetryAfterMs);
  return Math.max(backoffMs, askedMs);
}
