import type { LastFailure } from './token-store';

/** A number from [0, 1). */
export type Random = () => number;

const minuteMs = 60_000;
const probeRefusedMs = 5 * minuteMs;
const maxRetryAfterMs = 5 * minuteMs;

/** What a token's life means for serving and renewing it. Times in ms counted from before the request was sent. */
export interface Schedule {
  /** Never served past this: the life less a margin for clocks and for the request that will carry the token. */
  servableLifeMs: number;
  renewAtMs: number;
}

/**
 * In proportion to the token's life: a fixed margin would renew a short-lived token on every read. The spread keeps
 * clients that were registered together from renewing together for ever.
 */
export function scheduleOf(lifeSeconds: number, random: Random): Schedule {
  const lifeMs = lifeSeconds * 1_000;
  const skewMs = Math.min(30_000, lifeMs * 0.1);
  // Node's timers and Redis' scores are exact up to far beyond this, people's patience is not: at least once a month.
  const renewAtMs = Math.min(lifeMs * (0.6 + 0.1 * random()), 30 * 24 * 60 * minuteMs);
  return { servableLifeMs: lifeMs - skewMs, renewAtMs };
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
