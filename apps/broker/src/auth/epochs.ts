import { setTimeout as delay } from 'node:timers/promises';
import type { AccessEpoch } from '#registry';

/** What a replica knows of keys and grants holds for so long after it was found to be still so. */
export const holdsMs = 1_000;
/** A database that hangs must not hold up a caller who was known a moment ago. */
export const patienceMs = 250;
/**
 * A question that is not answered by then may have gone out on a connection that is dead and does not say so. It is put
 * again, on others, as often as it is anyway; the first answer counts, since the database may only be slow.
 */
const doubtfulAfterMs = 1_000;
const againMs = 250;
/** Half of the connections that there may be. */
const atMostAtOnce = 5;
/** However many ask for news, the database is asked this seldom. */
const newsEveryMs = 50;

interface Told {
  epoch: AccessEpoch;
  /** It was so then, or later. */
  asOf: number;
}

/**
 * The state of everything that decides over access, as one mark that is asked for four times a second: what was read
 * under the present mark is known to hold, without being read again.
 */
export class Epochs {
  #now: Told | undefined;
  #before: Told | undefined;
  #polling: Promise<void> | undefined;
  #news: Promise<void> | undefined;
  #polledAt = -Infinity;
  #silent = false;

  constructor(
    private readonly read: () => Promise<AccessEpoch>,
    readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** The database errs or lets wait: what it said last goes on holding. */
  get silent(): boolean {
    return this.#silent;
  }

  get epoch(): AccessEpoch | undefined {
    return this.#now?.epoch;
  }

  /** Asks now, unless it is being asked. @throws when the database does not answer */
  poll(): Promise<void> {
    this.#polling ??= this.#ask().finally(() => (this.#polling = undefined));
    return this.#polling;
  }

  /**
   * What is told after that moment: one question for all who want to know, and none where it was told already.
   * @throws when the database does not answer
   */
  news(since: number): Promise<void> {
    if (this.#now && this.#now.asOf > since) return Promise.resolve();
    this.#news ??= this.#nextPoll();
    return this.#news;
  }

  /** When that mark was last known to be the present one. */
  confirmedAt(kind: keyof AccessEpoch, mark: string): number {
    if (this.#now?.epoch[kind] === mark) return this.#now.asOf;
    return this.#before?.epoch[kind] === mark ? this.#before.asOf : -Infinity;
  }

  async #nextPoll(): Promise<void> {
    await this.#polling?.catch(() => undefined);
    const early = this.#polledAt + newsEveryMs - this.monotonic();
    if (early > 0) await delay(early);
    // Who asks from now on may have come after the question was put.
    this.#news = undefined;
    return this.poll();
  }

  async #ask(): Promise<void> {
    const asOf = this.monotonic();
    this.#polledAt = asOf;
    const late = setTimeout(() => (this.#silent = true), patienceMs);
    try {
      const epoch = await this.#question();
      if (this.#now && this.#now.epoch.missing !== epoch.missing) this.#before = this.#now;
      this.#now = { epoch, asOf };
      this.#silent = false;
    } catch (error) {
      this.#silent = true;
      throw error;
    } finally {
      clearTimeout(late);
    }
  }

  /** The first answer; where none is under way any more, the last refusal. */
  #question(): Promise<AccessEpoch> {
    return new Promise((resolve, reject) => {
      let underWay = 0;
      let firstIsUnderWay = true;
      let timer: NodeJS.Timeout | undefined;
      const put = (isFirst: boolean): void => {
        timer = undefined;
        underWay++;
        this.read().then(
          (epoch) => end(() => resolve(epoch)),
          (error: unknown) => {
            underWay--;
            if (isFirst) firstIsUnderWay = false;
            if (underWay === 0) end(() => reject(error));
            else putIn(againMs); // a server that restarts refuses, and says nothing on the connection that it forgot
          },
        );
        putIn(isFirst ? doubtfulAfterMs : againMs);
      };
      // The first is given up after a while: so is the whole, if need be, and who waits for it is told.
      const putIn = (ms: number): void => {
        if (firstIsUnderWay && underWay < atMostAtOnce) timer ??= setTimeout(put, ms, false).unref();
      };
      const end = (settle: () => void): void => {
        firstIsUnderWay = false;
        clearTimeout(timer);
        settle();
      };
      put(true);
    });
  }
}
