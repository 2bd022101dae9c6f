import { type Clock, ProviderError } from '#providers';
import { LRUCache } from 'lru-cache';
import { Breaker, type BreakerState } from './breaker';
import type { TokenEvents } from '../events';
import { HeldBack } from './held-back';
import { originOf, quotaDelayMs, takePermit } from './quota';
import type { RenewableClient } from '../renewable-client';
import { minIntervalOf, type Random } from '../renewal-policy';
import { RetryBudget } from './retry-budget';
import type { Claim, TokenStore } from '../store/token-store';

/** Clients may each name hosts of their own. */
const maxOrigins = 10_000;
/** Its clients were deleted, or go elsewhere: of an origin that nobody asked for so long nothing is known any more. */
const forgottenAfterMs = 3_600_000;

interface Origin {
  provider: string;
  origin: string;
  breaker: Breaker;
  budget: RetryBudget;
  askedAt: number;
}

/** The state of one provider's breaker; a provider has one for each set of hosts that its clients name. */
export interface OriginState {
  provider: string;
  origin: string;
  state: BreakerState;
}

/** Stands before each token request: circuit breaker and retry budget of this process, interval and quota of the fleet. */
export class ProviderGate {
  readonly #origins = new LRUCache<string, Origin>({ max: maxOrigins });

  constructor(
    private readonly parts: { store: TokenStore; events: Required<TokenEvents>; clock: Clock; random: Random },
  ) {}

  /** Those that are not closed, and asked for. */
  troubled(): OriginState[] {
    const now = this.parts.clock.monotonic();
    return [...this.#origins.values()]
      .filter(({ breaker, askedAt }) => breaker.state !== 'closed' && now - askedAt < forgottenAfterMs)
      .map(({ provider, origin, breaker }) => ({ provider, origin, state: breaker.state }));
  }

  /**
   * Sends the request if the provider may be asked now.
   * @returns undefined when its limits do not let it be asked: the claim was given back until they may, which is no failure
   * @throws HeldBack when it fails too often to be asked; what `request` throws
   */
  async send<T>(claim: Claim, client: RenewableClient, request: () => Promise<T>): Promise<T | undefined> {
    return this.guard(client, claim.retry === true, async () =>
      (await this.#mayAsk(claim, client)) ? { answer: await request() } : undefined,
    );
  }

  /** The same for a token that no claim is for: breaker and budget alone. @throws HeldBack; what `request` throws */
  async guard<T>(
    client: RenewableClient,
    retry: boolean,
    request: () => Promise<{ answer: T } | undefined>,
  ): Promise<T | undefined> {
    const origin = this.#originOf(client);
    const { breaker, budget } = origin;
    origin.askedAt = this.parts.clock.monotonic();
    const ticket = breaker.ask();
    if ('waitMs' in ticket) throw new HeldBack('breaker_open', ticket.waitMs);
    const budgeted = retry && !ticket.probe;
    if (budgeted && !budget.take()) throw new HeldBack('retry_budget', 0);
    if (!retry) budget.called();
    const settle = (answered: boolean | undefined): void => {
      breaker.settle(ticket, answered);
      if (answered && retry) budget.succeeded();
    };
    try {
      const result = await request();
      settle(result && true);
      if (!result && budgeted) budget.giveBack();
      return result?.answer;
    } catch (error) {
      settle(wasAnswered(error));
      throw error;
    }
  }

  /** Whether the provider's limits let it be asked now. If not, the claim is given back until they may. */
  async #mayAsk(claim: Claim, { definition, hosts = '' }: RenewableClient): Promise<boolean> {
    const { store, events, random } = this.parts;
    const minIntervalMs = minIntervalOf(definition);
    if (minIntervalMs > 0 && (await store.asking(claim, minIntervalMs)) !== 'go') return false;
    const waitMs = await takePermit(store, definition, hosts);
    if (waitMs === 0) return true;
    const nextAttemptInMs = quotaDelayMs(waitMs, definition.renew!.quota!, claim.latenessMs === undefined, random);
    await store.postpone(claim, nextAttemptInMs, undefined, minIntervalMs > 0 ? { minIntervalMs: 0 } : {});
    const { clientId } = claim;
    events.heldBack({ clientId, provider: definition.id, why: 'quota', nextAttemptInMs });
    return false;
  }

  #originOf({ provider, hosts = '' }: RenewableClient): Origin {
    const key = `${provider}@${hosts}`;
    const known = this.#origins.get(key);
    if (known) return known;
    const { clock, events } = this.parts;
    const monotonic = () => clock.monotonic();
    const origin = originOf(hosts);
    const breaker = new Breaker(monotonic, (state) => events.breakerChanged({ provider, origin, state }));
    const made = { provider, origin, breaker, budget: new RetryBudget(monotonic), askedAt: 0 };
    this.#origins.set(key, made);
    return made;
  }
}

/** Refusing credentials is an answer; what was never sent tells nothing. */
function wasAnswered(error: unknown): boolean | undefined {
  if (!(error instanceof ProviderError)) return undefined;
  if (error.code === 'provider_unavailable') return false;
  // Who asks to be left alone is obeyed for each client; it says nothing of how the others would fare.
  if (error.code === 'throttled') return undefined;
  return error.failure.providerStatus === undefined ? undefined : true;
}
