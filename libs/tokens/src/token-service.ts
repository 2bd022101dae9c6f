import { type Clock, type IssuedToken, type ProviderDefinition, systemClock } from '#providers';
import type { Vault } from '#vault';
import { Crowd } from './crowd';
import { DemandedRenewals, type RequestedRenewal } from './demanded-renewals';
import { DirectMinting } from './direct-minting';
import { DueRenewals } from './due-renewals';
import { leftToOthers, storeUnavailable, unavailable } from './errors';
import { type TokenEvents, tellAll } from './events';
import { type OriginState, ProviderGate } from './asking/provider-gate';
import { withinQuota } from './asking/quota';
import { type LoadClient, type LoadClients, type RenewableClient, RenewableClients } from './renewable-client';
import type { RequestToken } from './renewal-parts';
import type { Random } from './renewal-policy';
import { type Rejection, Rejections } from './rejections';
import { Renewer } from './renewer';
import { type ServableToken, TokenCache, toldMs } from './token-cache';
import { type NextNews, type Reading, TokenReader } from './token-reader';
import {
  type Attempt,
  type Claim,
  type ClientState,
  leaseMs,
  type News,
  type Overview,
  type TokenStore,
} from './store/token-store';
import { type ActiveClients, Upkeep } from './upkeep';

/** A tick follows another one after no less. */
const shortestTickMs = 200;

export interface TokenServiceOptions {
  store: TokenStore;
  vault: Vault;
  requestToken: RequestToken;
  loadClient: LoadClient;
  loadClients?: LoadClients;
  /** Those that are to be kept fresh. */
  active?: ActiveClients;
  /** False: this process asks no provider for a token that is wanted; it leaves that to one that renews. */
  renews?: boolean;
  /** Whether this replica lacks a master key that others have: what it cannot open it leaves to them. */
  lacksKeys?: () => boolean;
  /** How long it takes to begin the renewals of one tick, ms; 0 where a test's clock stands still meanwhile. */
  spreadOverMs?: number;
  observers?: TokenEvents[];
  clock?: Clock;
  random?: Random;
}

/** Keeps every client's token fresh and hands it out. */
export class TokenService {
  readonly #store: TokenStore;
  readonly #clock: Clock;
  readonly #clients: RenewableClients;
  readonly #cache: TokenCache;
  readonly #gate: ProviderGate;
  readonly #renewer: Renewer;
  readonly #reader: TokenReader;
  readonly #direct: DirectMinting;
  readonly #upkeep: Upkeep;
  readonly #due: DueRenewals;
  readonly #demanded: DemandedRenewals;
  readonly #rejections: Rejections;
  #renews: boolean;

  constructor({ store, vault, requestToken, loadClient, ...options }: TokenServiceOptions) {
    const {
      clock = systemClock,
      random = Math.random,
      renews = true,
      observers = [],
      lacksKeys = () => false,
      spreadOverMs = shortestTickMs,
    } = options;
    const events = tellAll(observers);
    const clients = new RenewableClients(loadClient, clock);
    const cache = new TokenCache(clock, () => store.newsArrives());
    const gate = new ProviderGate({ store, events, clock, random });
    const crowd = new Crowd(() => clock.monotonic(), random);
    const parts = { store, clients, cache, vault, requestToken, gate, crowd, lacksKeys, events, clock, random };
    const { active = noClients, loadClients = async () => [] } = options;
    [this.#store, this.#clock, this.#clients, this.#cache, this.#gate] = [store, clock, clients, cache, gate];
    this.#renewer = new Renewer(parts);
    this.#reader = new TokenReader(parts);
    const [renewer, reader] = [this.#renewer, this.#reader];
    this.#demanded = new DemandedRenewals({ store, renewer, reader, renews: () => this.#renews });
    this.#direct = new DirectMinting(parts);
    this.#upkeep = new Upkeep({ ...parts, active, loadClients });
    this.#due = new DueRenewals({ store, renewer, reader, upkeep: this.#upkeep, spreadOverMs });
    const running = (clientId: string) => this.#renewer.running(clientId);
    const begin = (claim: Claim) => this.#begin(claim);
    this.#rejections = new Rejections({ ...parts, reader: this.#reader, begin, running });
    this.#renews = renews;
    store.onNews((news) => this.#hear(news));
  }

  /** The token if this process may serve it without asking anyone; else undefined, and `get` finds out. */
  peek(clientId: string, minTtlSeconds = 0): ServableToken | undefined {
    return this.#reader.peek(clientId, minTtlSeconds);
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
    let before: Reading;
    try {
      before = await this.#reader.read(clientId);
    } catch (error) {
      const servable = this.#renews && (await this.#direct.mint(clientId, this.#reader.storeAwayMs(clientId)));
      if (!servable) throw error;
      before = { failures: 0, refusals: 0, servable };
    }
    if (before.servable && this.#reader.lastsLongEnough(before.servable, minTtlSeconds)) return before.servable;
    const seen = (before.token ?? before.servable)?.generation;
    const after = await this.#demanded.laterThan(clientId, seen).catch((error: unknown) => {
      if (before.servable) return before;
      throw storeUnavailable(error);
    });
    if (after.servable) return after.servable;
    throw this.#renews ? unavailable(after) : leftToOthers(after);
  }

  /** For who waits for a client's next token: it may be there once something is heard, and has to be looked for. */
  nextNews(clientId: string, withinMs: number): NextNews {
    return this.#reader.nextNews(clientId, withinMs);
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
  renewDue(): Promise<number> {
    return this.#due.begin();
  }

  /** An admin wants a new token now, whatever is planned; the provider's limits are kept. @throws when the store fails */
  renewNow(clientId: string): Promise<RequestedRenewal> {
    return this.#demanded.renewNow(clientId);
  }

  /**
   * The provider refuses the token of that generation: it is replaced if it is the one that is served now.
   * @param by who says so
   * @throws TokenUnavailable when the store does not answer
   */
  reject(clientId: string, generation: string, by: string): Promise<Rejection> {
    return this.#rejections.reject(clientId, generation, by);
  }

  /** The same, and waits for the token that replaces it; undefined when there is none, or it takes too long. */
  replace(clientId: string, generation: string, by: string): Promise<ServableToken | undefined> {
    return this.#rejections.replace(clientId, generation, by);
  }

  /**
   * Asks for a token on behalf of nobody yet, as when a client is registered, under the provider's quota all the same.
   * @param hosts that will be asked, as `tokenHosts` has them
   * @throws Throttled when the quota is used up, or cannot be counted now
   */
  tryOut<T>(definition: ProviderDefinition, hosts: string, ask: () => Promise<T>): Promise<T> {
    return withinQuota(this.#store, definition, hosts, ask);
  }

  /** As its renewals know it. @throws CannotOpen, or another error when it cannot be read now */
  client(clientId: string): Promise<RenewableClient | undefined> {
    return this.#clients.load(clientId);
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
  reconcile(): Promise<number> {
    return this.#upkeep.reconcile();
  }

  states(clientIds: string[]): Promise<ClientState[]> {
    return this.#store.readMany(clientIds);
  }

  /** The last 50 attempts to renew, newest first. */
  attempts(clientId: string): Promise<Attempt[]> {
    return this.#store.attempts(clientId);
  }

  overview(next: number): Promise<Overview> {
    return this.#store.overview(next);
  }

  /** Breakers of this process that are not closed. */
  breakers(): OriginState[] {
    return this.#gate.troubled();
  }

  get cacheEntries(): number {
    return this.#cache.size;
  }

  /** Claims nothing from now on, and gives back what is claimed and not begun; what others want is left to other replicas. */
  stop(): void {
    this.#renews = false;
    this.#due.stop();
    this.#renewer.stop();
  }

  /** Waits until the renewals under way have ended; after so long they are cut off, and their claims given back. */
  async drain(withinMs = 8_500): Promise<void> {
    // What is just being claimed is given back as well.
    const arriving = this.#due.begun().then(() => this.#renewer.drain(withinMs));
    await Promise.all([this.#renewer.drain(withinMs), arriving]);
  }

  #begin(claim: Claim): Promise<unknown> {
    return this.#renews ? this.#renewer.renew(claim) : this.#store.postpone(claim, 0);
  }

  #hear(news: News): void {
    if (news.kind !== 'renewed') this.#clients.drop(news.clientId);
    this.#reader.hear(news);
  }
}

const noClients: ActiveClients = { count: async () => 0, async *pages() {} };
