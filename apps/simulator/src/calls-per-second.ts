/** So many seconds are remembered: three hours. */
const kept = 3 * 60 * 60;

/** How many calls came in each second, in a ring of fixed size: a hundred thousand callers cost no more than one. */
export class CallsPerSecond {
  readonly #counts = new Uint32Array(kept);
  /** Seconds since 1970 of the first call and of the latest. */
  #first = 0;
  #latest = 0;

  count(atMs: number): void {
    const second = Math.floor(atMs / 1_000);
    if (this.#first === 0) this.#first = this.#latest = second;
    this.#passTo(second);
    this.#counts[this.#latest % kept]! += 1;
  }

  /** Up to the present second, which is not over yet. `from`: ms since 1970 at which the first of the counts begins. */
  upTo(nowMs: number): { from: number | null; counts: number[] } {
    if (this.#first === 0) return { from: null, counts: [] };
    this.#passTo(Math.floor(nowMs / 1_000));
    const from = Math.max(this.#first, this.#latest - kept + 1);
    const counts = Array.from({ length: this.#latest - from + 1 }, (_, i) => this.#counts[(from + i) % kept]!);
    return { from: from * 1_000, counts };
  }

  reset(): void {
    this.#first = this.#latest = 0;
    this.#counts.fill(0);
  }

  /** A clock that went back counts into the latest second. */
  #passTo(second: number): void {
    const passed = Math.min(second - this.#latest, kept);
    for (let i = 1; i <= passed; i++) this.#counts[(second - passed + i) % kept] = 0;
    this.#latest = Math.max(this.#latest, second);
  }
}
