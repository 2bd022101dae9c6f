import type { Problem } from './problem';

/** So many may be here at once in this process, and a share of them for one: whoever takes much leaves room for others. */
export class Places {
  readonly #taken = new Map<string, number>();
  readonly #limitOfOne: number;
  #all = 0;
  #waiting: (() => void)[] = [];

  /** @param full what is said where there is no place left, be it to anyone or to this one */
  constructor(
    private readonly limit: number,
    private readonly full: (to: 'all' | 'one') => Problem,
  ) {
    this.#limitOfOne = Math.max(1, Math.floor(limit / 4));
  }

  get taken(): number {
    return this.#all;
  }

  /** Settles when all are free. */
  empty(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#all === 0) resolve();
      else this.#waiting.push(resolve);
    });
  }

  /** Returns what gives the place back, once. @throws Problem when there is none */
  take(one: string): () => void {
    const ofOne = this.#taken.get(one) ?? 0;
    if (this.#all >= this.limit) throw this.full('all');
    if (ofOne >= this.#limitOfOne) throw this.full('one');
    this.#all++;
    this.#taken.set(one, ofOne + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#all--;
      const left = this.#taken.get(one)! - 1;
      if (left > 0) this.#taken.set(one, left);
      else this.#taken.delete(one);
      if (this.#all === 0) for (const tell of this.#waiting.splice(0)) tell();
    };
  }
}
