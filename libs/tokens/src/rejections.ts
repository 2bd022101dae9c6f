import type { Clock } from '#providers';
import { storeUnavailable } from './errors';
import type { RejectionResult, TokenEvents } from './events';
import { singleFlight } from './single-flight';
import type { ServableToken, TokenCache } from './token-cache';
import type { TokenReader } from './token-reader';
import type { Claim, TokenStore } from './store/token-store';

/** A client's token is replaced ahead of its time no more often, whoever says that the provider refuses it. */
const limitMs = 30_000;
/** Renewals that one caller may bring about, over all its clients and all replicas. */
const quotaOfCaller = { requests: 120, perMs: 60_000 };
/** A token request takes 8 s at most, and may be repeated. */
const patienceMs = 12_000;

export interface Rejection {
  /** `already_replaced`: the token is not the one that is served now. */
  renewal: RejectionResult;
  /** When the next renewal can be brought about, where none may be now. */
  retryAfterSeconds?: number;
}

/**
 * Tokens that their provider no longer takes although their time is not over. Only the one that is served now is replaced,
 * by one renewal over the whole fleet, and not often: whoever is mistaken, or sends the token to the wrong place, must not
 * have the broker hammer the provider. Until the next one is there the present one is served: it may be good for others.
 */
export class Rejections {
  readonly #flights = new Map<string, Promise<Rejection>>();

  constructor(
    private readonly parts: {
      store: TokenStore;
      cache: TokenCache;
      reader: TokenReader;
      events: Required<TokenEvents>;
      clock: Clock;
      /** Carries the renewal out, here or elsewhere. */
      begin(claim: Claim): Promise<unknown>;
      /** The renewal of that client in this process, if any. */
      running(clientId: string): Promise<unknown> | undefined;
    },
  ) {}

  /**
   * @param by who says so
   * @throws TokenUnavailable when the store does not answer
   */
  async reject(clientId: string, generation: string, by: string): Promise<Rejection> {
    const served = this.parts.cache.generationOf(clientId);
    const rejection: Rejection =
      served !== undefined && Number(served) > Number(generation)
        ? { renewal: 'already_replaced' }
        : await singleFlight(this.#flights, `${clientId} ${generation}`, () => this.#reject(clientId, generation, by));
    this.parts.events.tokenRejected({ clientId, generation, by, renewal: rejection.renewal });
    return rejection;
  }

  /**
   * The same, and waits for the token that replaces it; undefined when there is none, or it takes too long.
   * @throws TokenUnavailable when the store does not answer
   */
  async replace(clientId: string, generation: string, by: string): Promise<ServableToken | undefined> {
    const { reader, clock, running } = this.parts;
    const giveUpAt = clock.monotonic() + patienceMs;
    let news = reader.nextNews(clientId);
    try {
      const { renewal } = await this.reject(clientId, generation, by);
      for (;;) {
        const awaited = renewal === 'started' || renewal === 'under_way';
        const here = running(clientId);
        if (awaited) await Promise.race([here ?? news.heard, news.heard]);
        news.forget();
        news = reader.nextNews(clientId);
        const { servable, failures } = await reader.readNow(clientId);
        if (servable && servable.generation !== generation) return servable;
        // What was at work in this process has ended without a new token; elsewhere a failure says so.
        if (!awaited || (here && !running(clientId)) || failures > 0 || clock.monotonic() > giveUpAt) return undefined;
      }
    } finally {
      news.forget();
    }
  }

  async #reject(clientId: string, generation: string, by: string): Promise<Rejection> {
    const { store, cache, begin, events } = this.parts;
    try {
      let answer = await store.claimRejected(clientId, generation, limitMs, false);
      if (answer.outcome === 'free') {
        const waitMs = await store.takePermits(`rejections:${by}`, 1, quotaOfCaller);
        if (waitMs > 0) return rateLimited(waitMs);
        answer = await store.claimRejected(clientId, generation, limitMs, true);
      }
      if (answer.outcome === 'resting') return rateLimited(answer.waitMs);
      cache.giveWay(clientId, generation);
      if (answer.outcome === 'held') return { renewal: 'under_way' };
      if (answer.outcome !== 'claimed') return { renewal: 'already_replaced' };
      begin(answer.claim).catch((error: unknown) => events.fault({ what: 'a forced renewal', error, clientId }));
      return { renewal: 'started' };
    } catch (error) {
      throw storeUnavailable(error);
    }
  }
}

function rateLimited(waitMs: number): Rejection {
  return { renewal: 'rate_limited', retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1_000)) };
}
