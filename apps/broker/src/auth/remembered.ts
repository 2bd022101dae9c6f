import { setImmediate as endOfTurn, setTimeout as delay } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import type { AccessAnswers } from '#registry';
import { type Epochs, holdsMs, patienceMs } from './epochs';

const maxFound = 100_000;
/** What there is not is kept apart, so that a flood of it drives out nobody who is known. */
const maxMissing = 10_000;
const maxAtOnce = 500;
/** After a change the busiest are read again before anybody waits for them; the others when they are asked for. */
const maxAhead = 5_000;
/** What nobody uses is read again at this pace. */
const betweenSweepsMs = 200;

/** One answer of the database. Absent `value`: there is no such thing. `missing` also where more may be added to it. */
export interface Remembered<V> {
  readonly id: string;
  readonly value?: V;
  readonly kind: 'found' | 'missing';
  readonly mark: string;
  /** In monotonic time, unless the epoch says longer. */
  holdsUntil: number;
  /** How often everything had been doubted when it was read. */
  doubts: number;
  used: boolean;
}

interface Gathered {
  ids: string[];
  answers: Promise<void>;
}

/**
 * Look-ups that are remembered: for as long as their epoch is the present one, and a second beyond. When the database does
 * not answer, what it said last goes on holding. Many look-ups at once are one query.
 */
export class Lookups<V extends object> {
  readonly #found = new LRUCache<string, Remembered<V>>({ max: maxFound });
  readonly #missing = new LRUCache<string, Remembered<V>>({ max: maxMissing });
  readonly #reading = new Map<string, Promise<Remembered<V>>>();
  #gathered: Gathered | undefined;
  #doubts = 0;
  #silent = false;
  #ahead = false;
  #sweeping = false;
  /** Nothing is left that was read before that mark. */
  #swept: string | undefined;

  constructor(
    private readonly epochs: Epochs,
    private readonly read: (ids: string[]) => Promise<AccessAnswers<V>>,
    /** Whether nothing that is added can add to it. */
    private readonly isWhole: (value: V) => boolean = () => true,
  ) {}

  /** What is known at this moment; `undefined`: ask `get`. */
  now(id: string): Remembered<V> | undefined {
    const known = this.#known(id);
    return known && this.holds(known) ? known : undefined;
  }

  /** Whether it is still known to be so. */
  holds(known: Remembered<V>): boolean {
    known.used = true;
    if (known.doubts !== this.#doubts) return false;
    const now = this.epochs.monotonic();
    if (now < known.holdsUntil) return true;
    known.holdsUntil = this.epochs.confirmedAt(known.kind, known.mark) + holdsMs;
    // What the database said last, and nothing that it has taken back since, whoever still holds on to that.
    return now < known.holdsUntil || (this.epochs.silent && this.#known(known.id) === known);
  }

  /** @throws when the database does not answer and this was not asked before */
  async get(id: string): Promise<Remembered<V>> {
    const before = this.#known(id);
    if (!before) return this.#readAgain(id);
    if (this.holds(before)) return before;
    const answered = this.#confirm(id, before).catch(() => before);
    // While the database is silent no known caller waits for it: the question stays put, and its end tells.
    const silent = this.#silent || this.epochs.silent;
    const inTime = silent ? before : await Promise.race([answered, delay(patienceMs, undefined, { ref: false })]);
    if (inTime === undefined) this.#silent = true;
    // Somebody else's question may have been answered meanwhile.
    const after = inTime ?? this.#known(id) ?? before;
    if (after === before) {
      before.holdsUntil = Math.max(before.holdsUntil, this.epochs.monotonic() + holdsMs);
      before.doubts = this.#doubts;
    }
    return after;
  }

  /** Something was changed in this process: read again before the next answer. */
  doubt(): void {
    this.#doubts++;
    this.#silent = false;
    this.#missing.clear();
    this.#reading.clear();
    this.#gathered = undefined;
  }

  /** Reads again what was in use and may have changed, so that nobody has to wait for it. */
  async readAhead(): Promise<void> {
    if (this.#ahead) return;
    this.#ahead = true;
    try {
      const ids: string[] = [];
      for (const [id, known] of this.#found.entries()) {
        if (!known.used || known.mark === this.epochs.epoch?.found) continue;
        known.used = false;
        if (ids.push(id) === maxAhead) break;
      }
      for (let at = 0; at < ids.length; at += maxAtOnce) await this.#ask(ids.slice(at, at + maxAtOnce));
    } finally {
      this.#ahead = false;
    }
  }

  /**
   * Reads again by and by what may have changed and nobody uses: kept as it is, the next silence of the database would
   * bring back a key that was revoked long before it.
   */
  async sweep(): Promise<void> {
    const mark = this.epochs.epoch?.found;
    if (this.#sweeping || mark === this.#swept) return;
    this.#sweeping = true;
    try {
      const isStale = (id: string): boolean => (this.#found.peek(id)?.mark ?? mark) !== mark;
      // Those used last come last, so that they stay those that are forgotten last.
      const ids = [...this.#found.rkeys()].filter(isStale);
      for (let at = 0; at < ids.length; at += maxAtOnce) {
        if (at > 0) await delay(betweenSweepsMs, undefined, { ref: false });
        const stale = ids.slice(at, at + maxAtOnce).filter(isStale);
        if (stale.length > 0) await this.#ask(stale);
      }
      this.#swept = mark;
    } finally {
      this.#sweeping = false;
    }
  }

  #known(id: string): Remembered<V> | undefined {
    return this.#found.get(id) ?? this.#missing.get(id);
  }

  /** After a pause the epoch alone may say that nothing has changed. */
  async #confirm(id: string, before: Remembered<V>): Promise<Remembered<V>> {
    if (before.doubts === this.#doubts && this.epochs.epoch?.[before.kind] === before.mark) {
      await this.epochs.poll();
      if (this.holds(before)) return before;
    }
    return this.#readAgain(id);
  }

  #readAgain(id: string): Promise<Remembered<V>> {
    const running = this.#reading.get(id);
    if (running) return running;
    const answer = this.#gather(id).then(() => this.#known(id)!);
    this.#reading.set(id, answer);
    const forget = (): void => {
      if (this.#reading.get(id) === answer) this.#reading.delete(id);
    };
    answer.then(forget, forget);
    return answer;
  }

  /** Whoever asks in the same turn is asked for together. */
  #gather(id: string): Promise<void> {
    if (!this.#gathered || this.#gathered.ids.length === maxAtOnce) {
      const ids: string[] = [];
      const gathered: Gathered = { ids, answers: endOfTurn().then(() => this.#send(gathered)) };
      this.#gathered = gathered;
    }
    this.#gathered.ids.push(id);
    return this.#gathered.answers;
  }

  #send(gathered: Gathered): Promise<void> {
    if (this.#gathered === gathered) this.#gathered = undefined;
    return this.#ask(gathered.ids);
  }

  async #ask(ids: string[]): Promise<void> {
    const doubts = this.#doubts;
    const holdsUntil = this.epochs.monotonic() + holdsMs;
    const { epoch, found } = await this.read(ids);
    this.#silent = false;
    for (const id of ids) {
      const value = found.get(id);
      const kind = value && this.isWhole(value) ? 'found' : 'missing';
      const answer = { id, kind, mark: epoch[kind], holdsUntil, doubts, used: false, ...(value && { value }) } as const;
      const [to, from] = kind === 'found' ? [this.#found, this.#missing] : [this.#missing, this.#found];
      from.delete(id);
      to.set(id, answer);
    }
  }
}
