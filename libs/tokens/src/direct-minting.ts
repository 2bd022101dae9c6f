import { type Clock, type ProviderDefinition, ProviderError } from '#providers';
import { CannotOpen, type Vault } from '#vault';
import { LRUCache } from 'lru-cache';
import { TokenUnavailable } from './errors';
import { HeldBack } from './asking/held-back';
import { ClientNotLoaded, type RenewableClient } from './renewable-client';
import type { RenewalParts } from './renewal-parts';
import { minIntervalOf, scheduleOf } from './renewal-policy';
import { openStored, sealIssued } from './sealed-token';
import { singleFlight } from './single-flight';
import { deadOnArrival } from './store-issued';
import type { ServableToken, TokenCache } from './token-cache';

/** A store that is restarted, or fails over, is back before this; nobody then asks a provider for what the store has. */
const storeAwayForMs = 5_000;
const maxAtOnce = 20;
const restAfterFailureMs = 5_000;

/**
 * Tokens while the token store is away: for a client whose token this process does not have, or has no more, it asks the
 * provider itself, when somebody wants that token, and keeps it here. Each replica does so for itself: a provider gets as
 * many calls for each life of a token as there are replicas that are asked for it, and no more. Not where the limits of the
 * provider cannot be kept without the store, and not where one replica's token would end another's.
 */
export class DirectMinting {
  readonly #flights = new Map<string, Promise<ServableToken | undefined>>();
  readonly #failed = new LRUCache<string, { until: number; error: TokenUnavailable }>({ max: 10_000 });

  constructor(
    private readonly parts: Pick<RenewalParts, 'clients' | 'gate' | 'requestToken' | 'events' | 'random'> & {
      vault: Vault;
      clock: Clock;
      cache: TokenCache;
    },
  ) {}

  /**
   * @param storeAwayMs for how long the store has not answered
   * @returns undefined where the rule above does not let this process ask
   * @throws TokenUnavailable
   */
  async mint(clientId: string, storeAwayMs: number): Promise<ServableToken | undefined> {
    if (storeAwayMs < storeAwayForMs) return undefined;
    const failed = this.#failed.get(clientId);
    if (failed && this.parts.clock.monotonic() < failed.until) throw failed.error;
    if (this.#flights.size >= maxAtOnce && !this.#flights.has(clientId)) return undefined;
    return singleFlight(this.#flights, clientId, () => this.#mintIfAllowed(clientId, failed !== undefined));
  }

  /** Loads the client within the flight, too: a thousand readers of one that this process has never seen are one look-up. */
  async #mintIfAllowed(clientId: string, retry: boolean): Promise<ServableToken | undefined> {
    const client = await this.parts.clients.load(clientId).catch((error: unknown) => {
      if (error instanceof ClientNotLoaded) return undefined;
      throw this.#unavailable(error);
    });
    return client && !needsTheStore(client.definition) ? this.#mint(client, retry) : undefined;
  }

  async #mint(client: RenewableClient, retry: boolean): Promise<ServableToken> {
    const { gate, requestToken, events, clock, vault, cache, random } = this.parts;
    const { id: clientId, provider, definition, secretVersion } = client;
    try {
      const inputs = await client.inputs();
      const issued = await gate.guard(client, retry, async () => ({ answer: await requestToken(definition, inputs) }));
      const elapsedMs = clock.monotonic() - issued!.sentAtMonotonic;
      const lifeSeconds = Math.min(issued!.lifeSeconds, client.maxLifeSeconds ?? Infinity);
      const runwayMs = scheduleOf({ lifeSeconds }, definition.renew ?? {}, random).servableLifeMs - elapsedMs;
      if (runwayMs <= 0) throw deadOnArrival(lifeSeconds);
      // Above what was served before it, and below what the store gives out later: that follows Redis' clock, not ours.
      const before = cache.generationOf(clientId);
      const generation = (before === undefined ? clock.now() * 1_000 : Number(before) + 1).toFixed(0);
      const sealed = sealIssued(vault, { clientId, generation }, issued!);
      const stored = { generation, secretVersion, sealed, runwayMs, servableLifeMs: runwayMs };
      events.providerCalled({ clientId, provider, status: '200' });
      const token = cache.keep(openStored(vault, clientId, stored, clock));
      this.#failed.delete(clientId);
      events.renewed({ clientId, provider, durationMs: elapsedMs, generation, runwayMs });
      return token;
    } catch (error) {
      const unavailable = this.#unavailable(error);
      if (error instanceof ProviderError) {
        const status = String(error.failure.providerStatus ?? 'none');
        events.providerCalled({ clientId, provider, status });
      }
      const until = clock.monotonic() + Math.max(restAfterFailureMs, unavailable.retryAfterSeconds * 1_000);
      this.#failed.set(clientId, { until, error: unavailable });
      throw unavailable;
    }
  }

  #unavailable(error: unknown): TokenUnavailable {
    const seconds = restAfterFailureMs / 1_000;
    if (error instanceof HeldBack) return new TokenUnavailable(error.code, error.message, seconds);
    if (error instanceof CannotOpen) return new TokenUnavailable(error.code, error.message, seconds);
    if (!(error instanceof ProviderError)) throw error;
    const { message, retryAfterSeconds = 0 } = error.failure;
    const failure = { code: error.code, ...error.failure, at: this.parts.clock.now() };
    return new TokenUnavailable(error.code, message, Math.max(seconds, Math.min(retryAfterSeconds, 300)), failure);
  }
}

/** What the replicas keep to together, they cannot keep to apart. */
function needsTheStore(definition: ProviderDefinition): boolean {
  const { renew = {} } = definition;
  return renew.single_live === true || renew.quota !== undefined || minIntervalOf(definition) > 0;
}
