/** So that a few clients can retry at all. */
const perSecond = 1;
const perCall = 0.1;
/** What a retry that succeeds gives back: more than it took, so that after an outage all may come as fast as they succeed. */
const perSuccess = 2;
const most = 50;

/**
 * Retries that fail are at most a tenth of the calls to a provider, plus one a second: when much fails at once, retrying
 * all of it is what keeps a provider down.
 */
export class RetryBudget {
  #left = most;
  #at: number;

  constructor(private readonly monotonic: () => number) {
    this.#at = monotonic();
  }

  /** A first attempt is made. */
  called(): void {
    this.#earn(perCall);
  }

  /** Whether a retry may be made. */
  take(): boolean {
    const now = this.monotonic();
    this.#earn(((now - this.#at) / 1_000) * perSecond);
    this.#at = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  /** It was not made after all. */
  giveBack(): void {
    this.#earn(1);
  }

  /** It was made, and succeeded. */
  succeeded(): void {
    this.#earn(perSuccess);
  }

  #earn(amount: number): void {
    this.#left = Math.min(most, this.#left + amount);
  }
}
