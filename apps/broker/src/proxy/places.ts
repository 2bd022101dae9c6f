import { Problem } from '../problem';

/** So many calls may be under way in this process, and of one client a share of them: one slow API leaves room for others. */
export class Places {
  readonly #taken = new Map<string, number>();
  #all = 0;
  #waiting: (() => void)[] = [];

  readonly #limitOfClient: number;

  constructor(private readonly limit: number) {
    this.#limitOfClient = Math.max(1, Math.floor(limit / 4));
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
  take(clientId: string): () => void {
    const ofClient = this.#taken.get(clientId) ?? 0;
    if (this.#all >= this.limit) throw busy('There are too many calls under way in this replica.');
    if (ofClient >= this.#limitOfClient) throw busy('There are too many calls under way for this client.');
    this.#all++;
    this.#taken.set(clientId, ofClient + 1);
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#all--;
      const left = this.#taken.get(clientId)! - 1;
      if (left > 0) this.#taken.set(clientId, left);
      else this.#taken.delete(clientId);
      if (this.#all === 0) for (const tell of this.#waiting.splice(0)) tell();
    };
  }
}

function busy(detail: string): Problem {
  return new Problem('proxy_busy', detail, { headers: { 'retry-after': '1' } });
}
