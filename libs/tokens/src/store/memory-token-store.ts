import { type Clock, systemClock } from '#providers';
import { attemptsKept, failedAttempt } from './attempts';
import { endAttempt, type Entry, newEntry } from './memory-entry';
import { isSame, nextTryInMs, replacementFor } from './same-token';
import {
  type Attempt,
  type Attempts,
  type Claim,
  type ClaimAnswer,
  type ClientState,
  type Commit,
  type DueClaims,
  leaseMs,
  minRestMs,
  type NewToken,
  type News,
  type Overview,
  type QueueEntry,
  type Quota,
  type RejectionAnswer,
  type TokenStore,
} from './token-store';

/** The token store of a single process: tokens die with it, and are renewed when it starts again. */
export class MemoryTokenStore implements TokenStore {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners: ((news: News) => void)[] = [];
  /** When each permit of the last window was taken, oldest first, by bucket. */
  readonly #permits = new Map<string, number[]>();
  #generation = 0;
  #whole = false;

  constructor(private readonly clock: Clock = systemClock) {}

  async claimDue(limit: number): Promise<DueClaims> {
    const now = this.clock.monotonic();
    const due = [...this.#entries].filter(([, entry]) => entry.dueAt <= now);
    due.sort(([, a], [, b]) => a.dueAt - b.dueAt);
    const claims = due.slice(0, limit).map(([clientId, entry]) => ({
      latenessMs: now - entry.dueAt, // before the claim moves it
      ...this.#claim(clientId, entry),
      ...(entry.inTrouble && { inTrouble: true as const }),
      ...(entry.failures > 0 && { retry: true as const }),
    }));
    return { claims, more: due.length > limit, lost: !this.#whole };
  }

  async markWhole(): Promise<void> {
    this.#whole = true;
  }

  async claimOne(clientId: string, seenGeneration = '0', restMs = minRestMs): Promise<ClaimAnswer> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(clientId) ?? this.#add(clientId, now);
    const { token } = entry;
    if (token && Number(token.generation) > Number(seenGeneration) && token.until > now) return { outcome: 'newer' };
    if (entry.heldUntil > now) return { outcome: 'held', waitMs: entry.heldUntil - now };
    const rested = token ? token.until - token.runwayMs + restMs : 0;
    const rest = Math.max(entry.notBefore, entry.notAskedBefore, rested) - now;
    if (restMs > 0 && rest > 0) return { outcome: 'resting', waitMs: rest };
    const claim = this.#claim(clientId, entry);
    return { outcome: 'claimed', claim: { ...claim, ...(entry.failures > 0 && { retry: true }) } };
  }

  async claimRejected(clientId: string, rejected: string, limitMs: number, take: boolean): Promise<RejectionAnswer> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(clientId);
    if (entry?.token?.generation !== rejected) return { outcome: 'newer' };
    if (entry.heldUntil > now) return { outcome: 'held', waitMs: entry.heldUntil - now };
    const { token, notBefore, notAskedBefore, forcedAt } = entry;
    const rest =
      Math.max(notBefore, notAskedBefore, forcedAt + limitMs, token.until - token.runwayMs + minRestMs) - now;
    if (rest > 0) return { outcome: 'resting', waitMs: rest };
    if (!take) return { outcome: 'free' };
    Object.assign(entry, { forcedAt: now, rejected });
    const claim = this.#claim(clientId, entry);
    return { outcome: 'claimed', claim: { ...claim, ...(entry.failures > 0 && { retry: true }) } };
  }

  async asking(claim: Claim, minIntervalMs: number): Promise<'go' | 'early' | 'fenced'> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(claim.clientId);
    if (entry?.claim !== claim.generation) return 'fenced';
    if (entry.notAskedBefore > now) {
      Object.assign(entry, { heldUntil: 0, dueAt: entry.notAskedBefore });
      return 'early';
    }
    entry.notAskedBefore = now + minIntervalMs;
    entry.dueAt = now + Math.max(minIntervalMs, leaseMs);
    return 'go';
  }

  async commit(claim: Claim, token: NewToken): Promise<Commit> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(claim.clientId);
    if (entry?.claim !== claim.generation) return { outcome: 'fenced', freshAgain: false };
    if (token.secretVersion < entry.minimumVersion) {
      Object.assign(entry, { heldUntil: 0, notAskedBefore: 0, dueAt: now });
      return { outcome: 'outdated', freshAgain: false };
    }
    const { minIntervalMs = 0, unplannedRenewInMs: unplanned } = token;
    const unforeseen = unplanned !== undefined && (entry.failures > 0 || (entry.token?.until ?? 0) <= now);
    const freshAgain = entry.failures > 0 || !entry.token;
    if (minIntervalMs > 0) entry.notAskedBefore = now + minIntervalMs;
    const rejected = entry.rejected !== undefined && entry.rejected === entry.token?.generation;
    const replacement = replacementFor(entry.token, token, now, rejected);
    this.#note(entry, {
      at: this.clock.now(),
      outcome: replacement ? 'renewed' : 'kept',
      durationMs: Math.round(token.durationMs ?? 0),
      ...(token.providerRequestId && { providerRequestId: token.providerRequestId }),
    });
    if (!replacement) {
      const stored = entry.token!;
      // A token that is not served any more, though the provider still gives it, ends no series of failures.
      if (stored.until > now) endAttempt(entry);
      const again = Math.max(nextTryInMs(stored, token, now), minIntervalMs);
      Object.assign(entry, { heldUntil: 0, dueAt: now + again, notBefore: now + Math.min(again, 300_000) });
      return { outcome: 'sticky', freshAgain: freshAgain && stored.until > now };
    }
    endAttempt(entry);
    const until = now + replacement.runwayMs;
    const renewInMs =
      unforeseen && !isSame(entry.token, token, now) ? Math.max(unplanned, minIntervalMs) : replacement.renewInMs;
    entry.minimumVersion = token.secretVersion;
    // Not a part of Node's pool: it would keep the 8 KB around it.
    const sealed = Buffer.alloc(replacement.sealed.length, replacement.sealed);
    entry.token = { ...replacement, sealed, generation: claim.generation, until };
    entry.dueAt = now + renewInMs;
    if (entry.dueAt > until) entry.notBefore = entry.dueAt;
    this.#tell({ kind: 'renewed', clientId: claim.clientId, generation: claim.generation });
    return { outcome: 'stored', freshAgain };
  }

  async postpone(
    claim: Claim,
    delayMs: number,
    attempts?: Attempts,
    { secretVersion, minIntervalMs }: { secretVersion?: number; minIntervalMs?: number } = {},
  ): Promise<'postponed' | 'fenced' | 'outdated'> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(claim.clientId);
    if (entry?.claim !== claim.generation) return 'fenced';
    if (secretVersion !== undefined && secretVersion < entry.minimumVersion) {
      Object.assign(entry, { heldUntil: 0, notAskedBefore: 0, dueAt: now });
      return 'outdated';
    }
    const again = now + delayMs;
    if (attempts) {
      const { unasked, ...counted } = attempts;
      endAttempt(entry);
      Object.assign(entry, counted);
      if (attempts.lastFailure && !unasked) this.#note(entry, failedAttempt(attempts.lastFailure));
    }
    Object.assign(entry, { heldUntil: 0, dueAt: again, notBefore: again, inTrouble: true });
    if (minIntervalMs !== undefined) entry.notAskedBefore = minIntervalMs > 0 ? now + minIntervalMs : 0;
    return 'postponed';
  }

  async takePermits(bucket: string, permits: number, { requests, perMs }: Quota): Promise<number> {
    const now = this.clock.monotonic();
    const taken = (this.#permits.get(bucket) ?? []).filter((at) => at > now - perMs);
    const excess = taken.length + permits - requests;
    if (excess <= 0) taken.push(...Array.from({ length: permits }, () => now));
    this.#permits.set(bucket, taken);
    return excess > 0 ? taken[excess - 1]! + perMs - now : 0;
  }

  async read(clientId: string): Promise<ClientState> {
    const entry = this.#entries.get(clientId);
    if (!entry) return { failures: 0, refusals: 0 };
    const { token, failures, refusals, lastFailure } = entry;
    const now = this.clock.monotonic();
    const state: ClientState = { failures, refusals, dueInMs: entry.dueAt - now };
    const restMs = Math.max(entry.notBefore, entry.notAskedBefore) - now;
    if (restMs > 0) state.restMs = restMs;
    if (lastFailure) state.lastFailure = lastFailure;
    if (token) state.token = { ...token, runwayMs: this.#runway(token) };
    return state;
  }

  async generation(clientId: string): Promise<string | undefined> {
    return this.#entries.get(clientId)?.token?.generation;
  }

  readMany(clientIds: string[]): Promise<ClientState[]> {
    return Promise.all(clientIds.map((id) => this.read(id)));
  }

  async attempts(clientId: string): Promise<Attempt[]> {
    return [...(this.#entries.get(clientId)?.attempts ?? [])].reverse();
  }

  async enqueue(entries: QueueEntry[]): Promise<number> {
    const now = this.clock.monotonic();
    let missing = 0;
    for (const { clientId, secretVersion, dueInMs } of entries) {
      const known = this.#entries.get(clientId);
      if (!known) missing++;
      const entry = known ?? this.#add(clientId, now + dueInMs);
      if (entry.minimumVersion > 0 && secretVersion > entry.minimumVersion) {
        Object.assign(entry, { dueAt: Math.min(entry.dueAt, now), notAskedBefore: 0 });
      }
      entry.minimumVersion = Math.max(entry.minimumVersion, secretVersion);
    }
    return missing;
  }

  async change(clientId: string, secretVersion: number, dueInMs = 0): Promise<void> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(clientId) ?? this.#add(clientId, now);
    endAttempt(entry);
    const minimumVersion = Math.max(entry.minimumVersion, secretVersion);
    if (minimumVersion > entry.minimumVersion) entry.notAskedBefore = 0;
    const dueAt = Math.max(now + dueInMs, entry.notAskedBefore);
    Object.assign(entry, { minimumVersion, claim: '', dueAt });
    // Whatever token comes next replaces the one that is stored, were it to end sooner.
    if (entry.token) entry.token = { ...entry.token, servableLifeMs: 0 };
    this.#tell({ kind: 'changed', clientId });
  }

  async remove(clientId: string, claim?: Claim): Promise<void> {
    if (claim && this.#entries.get(clientId)?.claim !== claim.generation) return;
    this.#entries.delete(clientId);
    this.#tell({ kind: 'removed', clientId });
  }

  async overview(next: number): Promise<Overview> {
    const now = this.clock.monotonic();
    const entries = [...this.#entries].map(([clientId, entry]) => ({ clientId, ...entry, dueInMs: entry.dueAt - now }));
    const ending = entries.flatMap(({ clientId, token, inTrouble }) =>
      inTrouble ? [{ clientId, runwayMs: Math.max(0, token ? this.#runway(token) : 0) }] : [],
    );
    const soonest = entries.map(({ clientId, dueInMs }) => ({ clientId, dueInMs }));
    return {
      depth: entries.length,
      due: entries.filter(({ dueInMs }) => dueInMs <= 0).length,
      next: soonest.sort((a, b) => a.dueInMs - b.dueInMs).slice(0, next),
      leastRunway: ending.sort((a, b) => a.runwayMs - b.runwayMs).slice(0, next),
    };
  }

  onNews(listener: (news: News) => void): void {
    this.#listeners.push(listener);
  }

  newsArrives(): boolean {
    return true;
  }

  async ping(): Promise<'ok'> {
    return 'ok';
  }

  async close(): Promise<void> {
    this.#whole = false;
    this.#entries.clear();
  }

  #add(clientId: string, dueAt: number): Entry {
    const entry = newEntry(dueAt);
    this.#entries.set(clientId, entry);
    return entry;
  }

  #claim(clientId: string, entry: Entry): Claim {
    this.#generation = Math.max(this.#generation, this.clock.now() * 1_000) + 1;
    entry.claim = this.#generation.toFixed(0);
    entry.heldUntil = entry.dueAt = this.clock.monotonic() + leaseMs;
    return { clientId, generation: entry.claim };
  }

  /** The least that both clocks allow, as in Redis. */
  #runway(token: NewToken & { until: number }): number {
    return Math.min(token.until - this.clock.monotonic(), token.serveUntil - this.clock.now());
  }

  #note(entry: Entry, attempt: Attempt): void {
    entry.attempts = [...entry.attempts, attempt].slice(-attemptsKept);
  }

  #tell(news: News): void {
    for (const listener of this.#listeners) listener(news);
  }
}
