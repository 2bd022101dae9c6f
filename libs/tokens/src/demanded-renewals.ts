import type { RenewalOutcome, Renewer } from './renewer';
import { singleFlight } from './single-flight';
import type { ClaimAnswer, ClientState, TokenStore } from './store/token-store';
import type { Reading, TokenReader } from './token-reader';

/** What became of a renewal that somebody asked for. */
export interface RequestedRenewal {
  /** `kept`: the provider gave the token that is served already; `held`: somebody else is still at it, or will be. */
  outcome: 'renewed' | 'kept' | 'failed' | 'held' | 'not_yet';
  /** When the provider may be asked again, where it may not be now. */
  retryAfterSeconds?: number;
}

/** Renewals that somebody waits for: a reader whom no token in store will do for, or an admin. */
export class DemandedRenewals {
  readonly #readers = new Map<string, Promise<Reading>>();

  constructor(
    private readonly parts: { store: TokenStore; renewer: Renewer; reader: TokenReader; renews: () => boolean },
  ) {}

  /** Sees to it that a token later than `seen` is in the store, if that is possible now, and reads what is there. */
  laterThan(clientId: string, seen: string | undefined): Promise<Reading> {
    const { store, reader } = this.parts;
    return singleFlight(this.#readers, clientId, async () => {
      await this.#follow(clientId, () => store.claimOne(clientId, seen));
      // Not joined with a read that began before the renewal ended.
      return reader.readNow(clientId);
    });
  }

  /** Renews now, whatever is planned and whatever the last attempts came to. @throws when the store fails */
  async renewNow(clientId: string): Promise<RequestedRenewal> {
    const { store } = this.parts;
    const before = await store.read(clientId);
    const outcome = await this.#follow(clientId, () => this.#insist(clientId, before.token?.generation));
    if (outcome === 'renewed' || outcome === 'kept' || outcome === 'failed') return { outcome };
    const after = await store.read(clientId);
    // That is when it is asked by itself, too.
    if (outcome === 'not_yet')
      return { outcome, retryAfterSeconds: Math.max(1, Math.ceil((after.dueInMs ?? 0) / 1_000)) };
    return { outcome: madeElsewhere(before, after) };
  }

  /** A first attempt: what limits the repetitions of those that failed is not meant for who asks knowing that they did. */
  async #insist(clientId: string, seen: string | undefined): Promise<ClaimAnswer> {
    const answer = await this.parts.store.claimOne(clientId, seen, 0);
    if (answer.outcome !== 'claimed') return answer;
    const { retry: _, ...claim } = answer.claim;
    return { outcome: 'claimed', claim };
  }

  /**
   * Carries out what was claimed, here or by a replica that renews, which finds it due at once; or waits for who holds it.
   * @returns what it came to, where that is known here
   */
  async #follow(clientId: string, claim: () => Promise<ClaimAnswer>): Promise<RenewalOutcome | undefined> {
    const { store, renewer, reader, renews } = this.parts;
    const { heard, forget } = reader.nextNews(clientId);
    try {
      const answer = await claim();
      if (answer.outcome === 'held')
        return (await Promise.race([renewer.running(clientId) ?? heard, heard])) ?? undefined;
      if (answer.outcome !== 'claimed') return undefined;
      if (renews()) return await renewer.renew(answer.claim);
      await store.postpone(answer.claim, 0);
      return void (await heard);
    } finally {
      forget();
    }
  }
}

/** Who made it did so in another replica, and what it came to stands in the store alone. */
function madeElsewhere(before: ClientState, after: ClientState): 'renewed' | 'failed' | 'held' {
  if (after.token && after.token.generation !== before.token?.generation) return 'renewed';
  return after.failures > before.failures ? 'failed' : 'held';
}
