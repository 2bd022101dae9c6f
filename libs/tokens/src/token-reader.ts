import type { Clock } from '#providers';
import type { Vault } from '#vault';
import { LRUCache } from 'lru-cache';
import { storeUnavailable } from './errors';
import type { TokenEvents } from './events';
import { openStored } from './sealed-token';
import { singleFlight } from './single-flight';
import { runwayMs, type ServableToken, type TokenCache } from './token-cache';
import type { ClientState, News, TokenStore } from './store/token-store';

const waitForHolderMs = 2_000;
const unansweredForMs = 10_000;
/** `min_ttl` is honoured up to this share of a token's life: beyond it every read would be a renewal. */
const honouredShareOfLife = 0.9;

/** A client's state, and its token as it is served if it may be. */
export type Reading = ClientState & { servable?: ServableToken };

export interface NextNews {
  /** Settles when something is heard, when the time is up, or when it is forgotten. */
  heard: Promise<void>;
  /** Listens no longer. */
  forget: () => void;
}

/** Finds tokens where they are, in this process or in the store, and hears of new ones. */
export class TokenReader {
  readonly #reads = new Map<string, Promise<Reading>>();
  /** Generations that were heard of while the client was read: what is read may be older. */
  readonly #overtaken = new Map<string, string>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #awaySince: number | undefined;
  /** Clients that the store did not answer for, as when a part of a cluster is away: from when to when, as far as they were asked for. */
  readonly #unanswered = new LRUCache<string, { since: number; last: number }>({ max: 10_000 });

  constructor(
    private readonly parts: {
      store: TokenStore;
      vault: Vault;
      cache: TokenCache;
      events: Required<TokenEvents>;
      clock: Clock;
    },
  ) {}

  /** For how long the store has not answered, or not for this client, ms; 0 while it does. */
  storeAwayMs(clientId: string): number {
    const { since = Infinity } = this.#unanswered.get(clientId) ?? {};
    return Math.max(0, this.parts.clock.monotonic() - Math.min(since, this.#awaySince ?? Infinity));
  }

  /** Whoever asked the store for something says whether it answered. */
  heardOfStore(answered: boolean): void {
    if (answered) this.#awaySince = undefined;
    else this.#awaySince ??= this.parts.clock.monotonic();
  }

  /** The token if this process may serve it without asking anyone. */
  peek(clientId: string, minTtlSeconds: number): ServableToken | undefined {
    const token = this.parts.cache.fresh(clientId);
    return token && this.lastsLongEnough(token, minTtlSeconds) ? token : undefined;
  }

  lastsLongEnough(token: ServableToken, minTtlSeconds: number): boolean {
    const wantedMs = Math.min(minTtlSeconds * 1_000, token.servableLifeMs * honouredShareOfLife);
    if (wantedMs === 0) return true;
    const leftMs = runwayMs(token, this.parts.clock);
    return leftMs >= wantedMs || (token.plannedEarlyMs !== undefined && leftMs > token.plannedEarlyMs);
  }

  /** One read of the store at a time for each client. When it fails, what is in this process and still good is served. */
  read(clientId: string): Promise<Reading> {
    return singleFlight(this.#reads, clientId, () => this.#read(clientId));
  }

  async #read(clientId: string): Promise<Reading> {
    const { store, cache } = this.parts;
    try {
      let reading: Reading | undefined;
      const known = cache.trusted(clientId);
      try {
        // Whether the store has another one costs less to find out than to read it again.
        if (known && (await store.generation(clientId)) === known.generation) reading = this.#confirmed(known);
      } catch (error) {
        reading = this.#withoutStore(clientId, error);
      }
      reading ??= await this.readNow(clientId);
      const newest = this.#overtaken.get(clientId);
      if (newest !== undefined && reading.servable?.generation !== newest) cache.doubt(clientId);
      return reading;
    } finally {
      this.#overtaken.delete(clientId);
    }
  }

  #confirmed(servable: ServableToken): Reading {
    this.#answered(servable.clientId);
    this.parts.cache.keep(servable);
    return { failures: 0, refusals: 0, servable };
  }

  /** The same, not joined with a read that began before. @throws TokenUnavailable */
  async readNow(clientId: string): Promise<Reading> {
    const { store, vault, cache, clock, events } = this.parts;
    let state: ClientState;
    try {
      state = await store.read(clientId);
      this.#answered(clientId);
    } catch (error) {
      return this.#withoutStore(clientId, error);
    }
    try {
      if (state.token && state.token.runwayMs > 0) cache.keep(openStored(vault, clientId, state.token, clock));
    } catch (error) {
      events.fault({ what: 'opening a stored token', error, clientId });
    }
    // What was just read, where it is not over by the clock that nobody can set; or what the store lost and this process
    // did not. What was disabled or deleted is dropped from the cache by the news.
    const servable = cache.servable(clientId);
    return servable ? { ...state, servable } : state;
  }

  /** What is heard of the client next. Listens from now on, for 2 s if nothing else is said. */
  nextNews(clientId: string, withinMs = waitForHolderMs): NextNews {
    let forget = (): void => undefined;
    const heard = new Promise<void>((resolve) => {
      const listeners = this.#waiting.get(clientId) ?? new Set();
      this.#waiting.set(clientId, listeners.add(resolve));
      const timer = setTimeout(resolve, withinMs);
      forget = () => {
        clearTimeout(timer);
        if (listeners.delete(resolve) && listeners.size === 0) this.#waiting.delete(clientId);
        resolve();
      };
    });
    return { heard, forget };
  }

  #answered(clientId: string): void {
    this.heardOfStore(true);
    this.#unanswered.delete(clientId);
  }

  #withoutStore(clientId: string, error: unknown): Reading {
    this.heardOfStore(false);
    this.#noteUnanswered(clientId);
    const servable = this.parts.cache.servable(clientId);
    if (servable) return { failures: 0, refusals: 0, servable };
    throw storeUnavailable(error);
  }

  #noteUnanswered(clientId: string): void {
    const last = this.parts.clock.monotonic();
    const known = this.#unanswered.get(clientId);
    // What was not answered long ago, and not asked since, tells nothing of the time between.
    const since = known && last - known.last < unansweredForMs ? known.since : last;
    this.#unanswered.set(clientId, { since, last });
  }

  hear({ kind, clientId, generation }: News): void {
    const { cache } = this.parts;
    if (kind === 'removed') cache.drop(clientId);
    if (kind === 'renewed' && generation !== undefined && this.#reads.has(clientId)) {
      this.#overtaken.set(clientId, generation);
    }
    if (kind === 'renewed' && cache.has(clientId) && cache.servable(clientId)?.generation !== generation) {
      cache.doubt(clientId);
      this.read(clientId).catch(() => undefined); // the next reader will be told
    }
    for (const resolve of this.#waiting.get(clientId) ?? []) resolve();
  }
}
