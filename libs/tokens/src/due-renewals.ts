import { setImmediate as immediate, setTimeout as delay } from 'node:timers/promises';
import type { Renewer } from './renewer';
import type { Claim, TokenStore } from './store/token-store';
import type { TokenReader } from './token-reader';
import { turns } from './turns';
import type { Upkeep } from './upkeep';

const maxInFlight = 200;
/** Where so many were due, and more may be, the next tick is too far away: that alone would be 800 renewals a second. */
const manyAtOnce = 50;
/** Of a tick's renewals, so that those of a small one are begun sooner. */
const longestGapMs = 4;
const behindFromMs = 500;

/** Renews what the queue says is due, at every tick. */
export class DueRenewals {
  #claiming: Promise<number> | undefined;
  #stopped = false;

  constructor(
    private readonly parts: {
      store: TokenStore;
      renewer: Renewer;
      reader: TokenReader;
      upkeep: Upkeep;
      /** The renewals of a tick are begun over so long, ms. */
      spreadOverMs: number;
    },
  ) {}

  /** Claims what is due, as far as there are free slots, and starts the renewals. Returns how many. */
  async begin(): Promise<number> {
    const free = maxInFlight - this.parts.renewer.inFlight;
    if (this.#claiming || this.#stopped || free <= 0) return 0;
    this.#claiming = this.#claimAndRenew(free).finally(() => (this.#claiming = undefined));
    return this.#claiming;
  }

  /** From now on nothing is claimed. */
  stop(): void {
    this.#stopped = true;
  }

  /** Settles when all that is being claimed at this moment has been begun. */
  async begun(): Promise<void> {
    await this.#claiming?.catch(() => 0);
  }

  async #claimAndRenew(limit: number): Promise<number> {
    const { store, renewer, reader, upkeep } = this.parts;
    try {
      const { claims, more, lost } = await store.claimDue(limit);
      reader.heardOfStore(true);
      if (lost) void upkeep.rebuild();
      const renewals: Promise<unknown>[] = [];
      const pace = this.#paceOf(claims);
      for (const claim of claims) {
        if (renewals.length > 0) await pace(renewals.length);
        renewals.push(renewer.renew(claim));
      }
      if (more && renewals.length >= manyAtOnce) this.#goOnAfterHalf(renewals);
      return claims.length;
    } catch (error) {
      reader.heardOfStore(false);
      throw error;
    }
  }

  /**
   * Evenly over most of the time up to the next tick: begun together, and answered together, they would have everybody wait
   * who reads meanwhile, and the provider would get them all at once. What is late already does not wait.
   */
  #paceOf(claims: Claim[]): (begun: number) => Promise<void> {
    const started = performance.now();
    const isBehind = claims.some(({ latenessMs = 0 }) => latenessMs > behindFromMs);
    const gapMs = isBehind ? 0 : Math.min(this.parts.spreadOverMs / claims.length, longestGapMs);
    return async (begun) => {
      const waitMs = started + begun * gapMs - performance.now();
      if (waitMs > 0 && !this.#stopped) await delay(waitMs);
      return turns.next();
    };
  }

  /** There was much to claim: more is claimed once half of it has ended. What fails here, the next tick does. */
  #goOnAfterHalf(renewals: Promise<unknown>[]): void {
    let left = Math.ceil(renewals.length / 2);
    for (const renewal of renewals) {
      void renewal.then(() => {
        if (--left > 0) return;
        // By then these are no longer being claimed.
        void immediate()
          .then(() => this.begin())
          .catch(() => undefined);
      });
    }
  }
}
