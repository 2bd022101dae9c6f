import { type Clock, type IssuedToken, type ProviderDefinition, systemClock, Throttled } from '#providers';
import type { Vault } from '#vault';
import { TokenUnavailable, unavailable } from './errors';
import { type TokenEvents, tellAll } from './events';
import { takePermit } from './quota';
import { type LoadClient, type RenewableClient, RenewableClients } from './renewable-client';
import type { Random } from './renewal-policy';
import { Renewer, type RequestToken } from './renewer';
import { openStored } from './sealed-token';
import { runwayMs, type ServableToken, TokenCache, toldMs } from './token-cache';
import { type Attempt, type ClientState, leaseMs, type News, type Overview, type TokenStore } from './token-store';

const maxInFlight = 200;
const waitForHolderMs = 2_000;
/** `min_ttl` is honoured up to this share of a token's life: beyond it every read would be a renewal. */
const honouredShareOfLife = 0.9;
/** Clients missing from the queue come back at about this rate, so that a lost queue does not become a herd. */
const refillPerSecond = 50;

export interface TokenServiceOptions {
  store: TokenStore;
  vault: Vault;
  requestToken: RequestToken;
  loadClient: LoadClient;
  observers?: TokenEvents[];
  clock?: Clock;
  random?: Random;
}

/** A client's state, and its token as it is served if it may be. */
type Reading = ClientState & { servable?: ServableToken };

/** Keeps every client's token fresh and hands it out. */
export class TokenService {
  readonly #store: TokenStore;
  readonly #vault: Vault;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #events: Required<TokenEvents>;
  readonly #clients: RenewableClients;
  readonly #cache: TokenCache;
  readonly #renewer: Renewer;
  readonly #reads = new Map<string, Promise<Reading>>();
  readonly #demands = new Map<string, Promise<Reading>>();
  readonly #waiting = new Map<string, Set<() => void>>();
  #claiming = false;
  #stopped = false;

  constructor({ store, vault, requestToken, loadClient, ...options }: TokenServiceOptions) {
    this.#store = store;
    this.#vault = vault;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#events = tellAll(options.observers ?? []);
    this.#clients = new RenewableClients(loadClient, this.#clock);
    this.#cache = new TokenCache(this.#clock, () => store.newsArrives());
    const [clients, events, clock, random] = [this.#clients, this.#events, this.#clock, this.#random];
    this.#renewer = new Renewer({ store, clients, vault, requestToken, events, clock, random });
    store.onNews((news) => this.#hear(news));
  }

  /** The token if this process may serve it without asking anyone; else undefined, and `get` finds out. */
  peek(clientId: string, minTtlSeconds = 0): ServableToken | undefined {
    const token = this.#cache.fresh(clientId);
    return token && this.#lastsLongEnough(token, minTtlSeconds) ? token : undefined;
  }

  /**
   * A token that may be served: from this process, else from the store, else from the provider.
   * @param minTtlSeconds what it should last at least; honoured up to 90 % of the token's life. When no newer one can
   *   be had, one that is still good is served all the same.
   * @throws TokenUnavailable
   */
  async get(clientId: string, { minTtlSeconds = 0 }: { minTtlSeconds?: number } = {}): Promise<ServableToken> {
    const cached = this.peek(clientId, minTtlSeconds);
    if (cached) return cached;
    const before = await this.#read(clientId);
    if (before.servable && this.#lastsLongEnough(before.servable, minTtlSeconds)) return before.servable;
    const after = await this.#demand(clientId, before.token?.generation).catch((error: unknown) => {
      if (before.servable) return before;
      throw this.#storeUnavailable(error);
    });
    if (after.servable) return after.servable;
    throw unavailable(after);
  }

  /** Whole seconds for which a service may use the token before it has to come back. */
  runwaySeconds(token: ServableToken): number {
    return Math.max(0, Math.floor(toldMs(token, this.#clock) / 1_000));
  }

  /** The same as a point in time: wall clock, ms. It is always the same one, but for a single live token. */
  expiresAt(token: ServableToken): number {
    return token.singleLive ? this.#clock.now() + toldMs(token, this.#clock) : token.serveUntil;
  }

  /** Claims what is due, as far as there are free slots, and starts the renewals. Returns how many. */
  async renewDue(): Promise<number> {
    const free = maxInFlight - this.#renewer.inFlight;
    if (this.#claiming || this.#stopped || free <= 0) return 0;
    this.#claiming = true;
    try {
      const { claims } = await this.#store.claimDue(free);
      for (const claim of claims) void this.#renewer.renew(claim);
      return claims.length;
    } finally {
      this.#claiming = false;
    }
  }

  /**
   * Asks for a token on behalf of nobody yet, as when a client is registered, under the provider's quota all the same.
   * @param hosts that will be asked, as `tokenHosts` has them
   * @throws Throttled when the quota is used up, or cannot be counted now
   */
  async tryOut<T>(definition: ProviderDefinition, hosts: string, ask: () => Promise<T>): Promise<T> {
    const waitMs = await takePermit(this.#store, definition, hosts).catch((cause: unknown) => {
      const message = "the provider's quota cannot be counted while the token store does not answer";
      throw new Throttled({ message, reached: false, retryAfterSeconds: 1 }, { cause });
    });
    if (waitMs === 0) return ask();
    const message = `the provider's quota of token requests is used up for ${Math.ceil(waitMs / 1_000)} s`;
    const hint = 'Repeat it then. The quota is shared by all clients of the provider, and stands in its definition.';
    throw new Throttled({ message, hint, reached: false, retryAfterSeconds: Math.ceil(waitMs / 1_000) });
  }

  /** Stores a token that was got while the client was registered or changed, so that it is not asked for twice. */
  async admit(client: RenewableClient, issued: IssuedToken): Promise<void> {
    await this.#store.change(client.id, client.secretVersion, leaseMs); // nobody else claims it in this moment
    const { token } = await this.#store.read(client.id);
    const answer = await this.#store.claimOne(client.id, token?.generation, 0);
    if (answer.outcome !== 'claimed') return;
    this.#clients.remember(client);
    await this.#renewer.store(answer.claim, client, issued);
  }

  /** The client's secret or inputs were changed: renew at once, and store nothing got with what was before. */
  async change(clientId: string, secretVersion: number): Promise<void> {
    this.#clients.drop(clientId);
    await this.#store.change(clientId, secretVersion);
  }

  /** The client was disabled or deleted: forget its token. */
  async purge(clientId: string): Promise<void> {
    this.#clients.drop(clientId);
    this.#cache.drop(clientId);
    await this.#store.remove(clientId);
  }

  /** Puts back those of the active clients that are missing from the queue. Returns how many were. */
  async reconcile(active: { id: string; secretVersion: number }[]): Promise<number> {
    const spreadMs = Math.min((active.length / refillPerSecond) * 1_000, 60_000);
    return this.#store.enqueue(
      active.map(({ id, secretVersion }) => ({ clientId: id, secretVersion, dueInMs: spreadMs * this.#random() })),
    );
  }

  states(clientIds: string[]): Promise<ClientState[]> {
    return this.#store.readMany(clientIds);
  }

  /** The last 50 attempts to renew, newest first. */
  attempts(clientId: string): Promise<Attempt[]> {
    return this.#store.attempts(clientId);
  }

  /** An admin wants a new token now, whatever is planned; the provider's limits are kept. @throws when the store fails */
  async renewNow(
    clientId: string,
  ): Promise<{ outcome: 'renewed' | 'failed' | 'held' | 'not_yet'; retryAfterSeconds?: number }> {
    const { token } = await this.#store.read(clientId);
    const answer = await this.#store.claimOne(clientId, token?.generation, 0);
    if (answer.outcome === 'resting') {
      return { outcome: 'not_yet', retryAfterSeconds: Math.ceil(answer.waitMs / 1_000) };
    }
    if (answer.outcome === 'held') return { outcome: 'held' };
    if (answer.outcome === 'claimed') await this.#renewer.renew(answer.claim);
    const after = await this.#store.read(clientId);
    return { outcome: after.failures > 0 ? 'failed' : 'renewed' };
  }

  /** Breakers of this process that are not closed. */
  breakers(): { provider: string; origin: string; state: 'closed' | 'half_open' | 'open' }[] {
    return [];
  }

  overview(next: number): Promise<Overview> {
    return this.#store.overview(next);
  }

  get cacheEntries(): number {
    return this.#cache.size;
  }

  /** Claims nothing that is due from now on. */
  stop(): void {
    this.#stopped = true;
  }

  /** Waits until the renewals running now have ended; a token request ends within 8 s by itself. */
  async drain(): Promise<void> {
    await this.#renewer.drain();
  }

  #lastsLongEnough(token: ServableToken, minTtlSeconds: number): boolean {
    const wantedMs = Math.min(minTtlSeconds * 1_000, token.servableLifeMs * honouredShareOfLife);
    if (wantedMs === 0) return true;
    const leftMs = runwayMs(token, this.#clock);
    return leftMs >= wantedMs || (token.plannedEarlyMs !== undefined && leftMs > token.plannedEarlyMs);
  }

  /** One read of the store at a time for each client. When it fails, what is in this process and still good is served. */
  #read(clientId: string): Promise<Reading> {
    return singleFlight(this.#reads, clientId, () => this.#readNow(clientId));
  }

  async #readNow(clientId: string): Promise<Reading> {
    let state: ClientState;
    try {
      state = await this.#store.read(clientId);
    } catch (error) {
      const servable = this.#cache.servable(clientId);
      if (servable) return { failures: 0, refusals: 0, servable };
      throw this.#storeUnavailable(error);
    }
    try {
      if (state.token && state.token.runwayMs > 0) {
        const kept = this.#cache.keep(openStored(this.#vault, clientId, state.token, this.#clock));
        // The same token may have been in the cache, and be over by the clock that nobody can set.
        return runwayMs(kept, this.#clock) > 0 ? { ...state, servable: kept } : state;
      }
    } catch (error) {
      this.#events.fault({ what: 'opening a stored token', error, clientId });
    }
    // The store lost it, this process did not. What was disabled or deleted is dropped from the cache by the news.
    const servable = this.#cache.servable(clientId);
    return servable ? { ...state, servable } : state;
  }

  /** Sees to it that a token later than `seen` is in the store, if that is possible now, and reads what is there. */
  #demand(clientId: string, seen: string | undefined): Promise<Reading> {
    return singleFlight(this.#demands, clientId, async () => {
      const news = this.#nextNews(clientId);
      try {
        const answer = await this.#store.claimOne(clientId, seen);
        if (answer.outcome === 'claimed') await this.#renewer.renew(answer.claim);
        if (answer.outcome === 'held') await Promise.race([this.#renewer.running(clientId) ?? news.heard, news.heard]);
        // Not joined with a read that began before the renewal ended.
        return await this.#readNow(clientId);
      } finally {
        news.forget();
      }
    });
  }

  /** Settles when something is heard of the client, or after 2 s. Listens from now on. */
  #nextNews(clientId: string): { heard: Promise<void>; forget: () => void } {
    let forget = (): void => undefined;
    const heard = new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitForHolderMs);
      const listeners = this.#waiting.get(clientId) ?? new Set();
      this.#waiting.set(clientId, listeners.add(resolve));
      forget = () => {
        clearTimeout(timer);
        listeners.delete(resolve);
        if (listeners.size === 0) this.#waiting.delete(clientId);
      };
    });
    return { heard, forget };
  }

  #hear({ kind, clientId, generation }: News): void {
    if (kind !== 'renewed') this.#clients.drop(clientId);
    if (kind === 'removed') this.#cache.drop(clientId);
    if (kind === 'renewed' && this.#cache.has(clientId) && this.#cache.servable(clientId)?.generation !== generation) {
      this.#cache.doubt(clientId);
      this.#read(clientId).catch(() => undefined); // the next reader will be told
    }
    for (const resolve of this.#waiting.get(clientId) ?? []) resolve();
  }

  #storeUnavailable(error: unknown): TokenUnavailable {
    if (error instanceof TokenUnavailable) return error;
    return new TokenUnavailable('store_unavailable', 'the token store does not answer', 1, undefined, { cause: error });
  }
}

function singleFlight<T>(flights: Map<string, Promise<T>>, key: string, work: () => Promise<T>): Promise<T> {
  const running = flights.get(key);
  if (running) return running;
  const flight = work().finally(() => flights.delete(key));
  flights.set(key, flight);
  return flight;
}
