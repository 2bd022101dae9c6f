import type { NewToken } from './token-store';

/** Until so long after its end a token that comes again is the one that ended: a provider counts from when it answered. */
const graceMs = 10_000;
/** By so much the end of a token that comes again may differ because of rounding: no more than the least margin. */
const roundingMs = 1_000;
/** Renewals are no further apart, so neither are these. */
const monthMs = 30 * 24 * 3_600_000;
/** How long before its end a token stops being served, at most. */
const maxSkewMs = 30_000;

/** The token in store, and when serving it ends on the store's clock, ms. */
type Stored = NewToken & { until: number };

/** Whether it is the token in store. Until somewhat after its end, which may be told late; later, it did not end as told. */
export function isSame(stored: Stored | undefined, issued: NewToken, now: number): boolean {
  if (!stored || now >= stored.until + stored.marginMs + graceMs) return false;
  return issued.fingerprints.includes(stored.fingerprints[0] ?? '');
}

/**
 * What is to be stored of a token that was just issued, seeing what is in store; undefined when that is kept. `commit-n.lua`
 * does the same in Redis.
 * @param rejected the provider no longer takes the one in store: it is worth less than any other
 */
export function replacementFor(
  stored: Stored | undefined,
  issued: NewToken,
  now: number,
  rejected = false,
): NewToken | undefined {
  if (!stored) return issued;
  // After a change, which sets the life to 0, whatever comes next replaces what is stored.
  const comparable = stored.until - now <= stored.servableLifeMs && issued.secretVersion <= stored.secretVersion;
  const finish = stored.until + stored.marginMs;
  if (!isSame(stored, issued, now)) {
    const noLater = comparable && stored.until > now && now + issued.runwayMs <= stored.until;
    return noLater && !issued.endsOthers && !rejected ? undefined : issued;
  }
  // It lives up to the end that was told when it came first, whatever is told now. What its client may have of its life
  // can have been less: then it may be served longer. Or its end is sooner than was known.
  const ends = now + issued.runwayMs + issued.marginMs;
  const cutMs = Math.max(0, issued.runwayMs - (finish - Math.min(issued.marginMs, maxSkewMs) - now));
  const runwayMs = issued.runwayMs - cutMs;
  const longer = stored.marginMs > maxSkewMs && now + runwayMs > stored.until + 1_000;
  const sooner = ends < finish - roundingMs;
  if (runwayMs <= 0 || (comparable && !longer && !sooner)) return undefined;
  const nextKnown = issued.nextBeforeEndMs !== undefined;
  const soon = nextKnown
    ? Math.max(finish - issued.nextBeforeEndMs! - now, 1_000)
    : Math.min(issued.renewInMs, Math.max(1_000, runwayMs * 0.65));
  return {
    ...issued,
    runwayMs,
    serveUntil: Math.min(issued.serveUntil - cutMs, stored.serveUntil + now + runwayMs - stored.until),
    servableLifeMs: Math.min(issued.servableLifeMs, runwayMs),
    marginMs: Math.min(ends, finish) - now - runwayMs,
    renewInMs: cutMs > 0 ? Math.max(issued.minIntervalMs ?? 0, soon) : issued.renewInMs,
  };
}

/** When the next token is asked for, while the provider gives the one that is in store. */
export function nextTryInMs(
  { until, marginMs }: Pick<Stored, 'until' | 'marginMs'>,
  { nextBeforeEndMs }: NewToken,
  now: number,
): number {
  const known = nextBeforeEndMs === undefined ? 0 : until + marginMs - nextBeforeEndMs - now;
  // Half of what remains, again and again: never a hot loop, and in time for the last moment.
  const halfMs = Math.max(1_000, ((until > now ? until : until + marginMs) - now) / 2);
  return known > 1_000 ? known : Math.min(halfMs, monthMs);
}
