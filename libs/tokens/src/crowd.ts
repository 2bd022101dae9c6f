import { minRestMs } from './store/token-store';

const members = 10;
const withinMs = 10_000;

/**
 * Notices that many clients got a token at a moment that nobody planned: at a cold start, after an outage, when a queue
 * was lost. Renewed at the usual share of their lives they would come together for ever; so they are spread over it once.
 */
export class Crowd {
  readonly #latest: number[] = [];
  /** Since when it is here, without a pause. */
  #since = 0;

  constructor(
    private readonly monotonic: () => number,
    private readonly random: () => number,
  ) {}

  /** Another unplanned token. */
  note(): void {
    const now = this.monotonic();
    if (!this.#isHere(now)) this.#since = now;
    this.#latest.push(now);
    if (this.#latest.length > members) this.#latest.shift();
  }

  /** @param underWay renewals that run at this moment: where they are many, nobody knows yet what they will have been */
  isHere(underWay: number): boolean {
    return underWay >= members || this.#isHere(this.monotonic());
  }

  /**
   * Whether it is here for less than the time up to a renewal. Longer, and it has been spread; where renewals are late all
   * the same, the provider or this process does not keep up, and to renew sooner would keep it so for ever.
   */
  isNew(renewInMs: number): boolean {
    return this.monotonic() - this.#since < renewInMs;
  }

  /**
   * When to renew, ms, in place of the moment planned: anywhere in the time up to it, which leaves as many renewals to each
   * part of it; and all that a little later, since a token is not renewed at once. Drawn from less time than lies between
   * two renewals, they would leave the same gap each time.
   */
  spread(renewInMs: number): number {
    return Math.max(renewInMs * (0.05 + this.random()), minRestMs);
  }

  #isHere(now: number): boolean {
    return this.#latest.length === members && now - this.#latest[0]! < withinMs;
  }
}
