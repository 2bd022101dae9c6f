import { minRestMs } from './store/token-store';

const members = 10;
const withinMs = 10_000;

/**
 * Notices that many clients got a token at a moment that nobody planned: at a cold start, after an outage, when a queue
 * was lost. Renewed at the usual share of their lives they would come together for ever; so they are spread over it once.
 */
export class Crowd {
  readonly #latest: number[] = [];

  constructor(
    private readonly monotonic: () => number,
    private readonly random: () => number,
  ) {}

  /** Another unplanned token. */
  note(): void {
    this.#latest.push(this.monotonic());
    if (this.#latest.length > members) this.#latest.shift();
  }

  /** @param underWay renewals that run at this moment: where they are many, nobody knows yet what they will have been */
  isHere(underWay: number): boolean {
    if (underWay >= members) return true;
    return this.#latest.length === members && this.monotonic() - this.#latest[0]! < withinMs;
  }

  /**
   * When to renew, ms, in place of the moment planned: anywhere in the time up to it, which leaves as many renewals to each
   * part of it.
   */
  spread(renewInMs: number): number {
    return Math.max(renewInMs * (0.05 + 0.95 * this.random()), minRestMs);
  }
}
