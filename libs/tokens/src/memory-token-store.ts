import { type Clock, systemClock } from '#providers';
import {
  type Attempts,
  type Claim,
  type ClaimAnswer,
  type ClientState,
  type Commit,
  leaseMs,
  minRestMs,
  type NewToken,
  type News,
  type Overview,
  type QueueEntry,
  type TokenStore,
} from './token-store';

interface Entry extends Attempts {
  dueAt: number;
  minimumVersion: number;
  claim: string;
  heldUntil: number;
  notBefore: number;
  token?: NewToken & { generation: string; until: number };
}

/** The token store of a single process: tokens die with it, and are renewed when it starts again. */
export class MemoryTokenStore implements TokenStore {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners: ((news: News) => void)[] = [];
  #generation = 0;

  constructor(private readonly clock: Clock = systemClock) {}

  async claimDue(limit: number): Promise<Claim[]> {
    const now = this.clock.monotonic();
    const due = [...this.#entries].filter(([, entry]) => entry.dueAt <= now);
    due.sort(([, a], [, b]) => a.dueAt - b.dueAt);
    return due.slice(0, limit).map(([clientId, entry]) => this.#claim(clientId, entry, now - entry.dueAt));
  }

  async claimOne(clientId: string, seenGeneration = '0', restMs = minRestMs): Promise<ClaimAnswer> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(clientId) ?? this.#add(clientId, now);
    const { token } = entry;
    if (token && Number(token.generation) > Number(seenGeneration) && token.until > now) return { outcome: 'newer' };
    if (entry.heldUntil > now) return { outcome: 'held', waitMs: entry.heldUntil - now };
    const rest = Math.max(entry.notBefore, token ? token.until - token.runwayMs + restMs : 0) - now;
    if (rest > 0) return { outcome: 'resting', waitMs: rest };
    return { outcome: 'claimed', claim: this.#claim(clientId, entry) };
  }

  async commit(claim: Claim, token: NewToken): Promise<Commit> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(claim.clientId);
    if (entry?.claim !== claim.generation) return { outcome: 'fenced', freshAgain: false };
    if (token.secretVersion < entry.minimumVersion) {
      entry.heldUntil = 0;
      entry.dueAt = now;
      return { outcome: 'outdated', freshAgain: false };
    }
    const stored = entry.token;
    const freshAgain = entry.failures > 0 || !stored;
    endAttempt(entry);
    const until = now + token.runwayMs;
    const comparable = stored && stored.until > now && stored.servableLifeMs > 0;
    if (comparable && until <= stored.until && token.secretVersion <= stored.secretVersion) {
      entry.dueAt = now + Math.max(1_000, (stored.until - now) / 2);
      entry.notBefore = Math.min(entry.dueAt, now + 300_000);
      return { outcome: 'sticky', freshAgain };
    }
    entry.minimumVersion = token.secretVersion;
    entry.token = { ...token, generation: claim.generation, until };
    entry.dueAt = now + token.renewInMs;
    this.#tell({ kind: 'renewed', clientId: claim.clientId, generation: claim.generation });
    return { outcome: 'stored', freshAgain };
  }

  async postpone(
    claim: Claim,
    delayMs: number,
    attempts: Attempts,
    secretVersion?: number,
  ): Promise<'postponed' | 'fenced' | 'outdated'> {
    const entry = this.#entries.get(claim.clientId);
    if (entry?.claim !== claim.generation) return 'fenced';
    if (secretVersion !== undefined && secretVersion < entry.minimumVersion) {
      Object.assign(entry, { heldUntil: 0, dueAt: this.clock.monotonic() });
      return 'outdated';
    }
    endAttempt(entry);
    const again = this.clock.monotonic() + delayMs;
    Object.assign(entry, attempts, { dueAt: again, notBefore: again });
    return 'postponed';
  }

  async read(clientId: string): Promise<ClientState> {
    const entry = this.#entries.get(clientId);
    if (!entry) return { failures: 0, refusals: 0 };
    const { token, failures, refusals, lastFailure } = entry;
    const state: ClientState = { failures, refusals, dueInMs: entry.dueAt - this.clock.monotonic() };
    if (lastFailure) state.lastFailure = lastFailure;
    if (token) state.token = { ...token, runwayMs: this.#runway(token) };
    return state;
  }

  readMany(clientIds: string[]): Promise<ClientState[]> {
    return Promise.all(clientIds.map((id) => this.read(id)));
  }

  async enqueue(entries: QueueEntry[]): Promise<number> {
    const now = this.clock.monotonic();
    let missing = 0;
    for (const { clientId, secretVersion, dueInMs } of entries) {
      const known = this.#entries.get(clientId);
      if (!known) missing++;
      const entry = known ?? this.#add(clientId, now + dueInMs);
      if (known && secretVersion > entry.minimumVersion) entry.dueAt = Math.min(entry.dueAt, now);
      entry.minimumVersion = Math.max(entry.minimumVersion, secretVersion);
    }
    return missing;
  }

  async change(clientId: string, secretVersion: number, dueInMs = 0): Promise<void> {
    const now = this.clock.monotonic();
    const entry = this.#entries.get(clientId) ?? this.#add(clientId, now);
    endAttempt(entry);
    const minimumVersion = Math.max(entry.minimumVersion, secretVersion);
    Object.assign(entry, { minimumVersion, claim: '', dueAt: now + dueInMs });
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
    const ending = entries.flatMap(({ clientId, token }) =>
      token ? [{ clientId, runwayMs: this.#runway(token) }] : [],
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

  async ping(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }

  #add(clientId: string, dueAt: number): Entry {
    const entry: Entry = { dueAt, minimumVersion: 0, claim: '', heldUntil: 0, notBefore: 0, failures: 0, refusals: 0 };
    this.#entries.set(clientId, entry);
    return entry;
  }

  #claim(clientId: string, entry: Entry, latenessMs?: number): Claim {
    this.#generation = Math.max(this.#generation, this.clock.now() * 1_000) + 1;
    entry.claim = this.#generation.toFixed(0);
    entry.heldUntil = entry.dueAt = this.clock.monotonic() + leaseMs;
    return { clientId, generation: entry.claim, ...(latenessMs !== undefined && { latenessMs }) };
  }

  /** The least that both clocks allow, as in Redis. */
  #runway(token: NewToken & { until: number }): number {
    return Math.min(token.until - this.clock.monotonic(), token.serveUntil - this.clock.now());
  }

  #tell(news: News): void {
    for (const listener of this.#listeners) listener(news);
  }
}

/** An attempt has ended: the claim is free, and what it had to say follows. */
function endAttempt(entry: Entry): void {
  entry.heldUntil = 0;
  entry.notBefore = 0;
  entry.failures = 0;
  entry.refusals = 0;
  delete entry.lastFailure;
}
