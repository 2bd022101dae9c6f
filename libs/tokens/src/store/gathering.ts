import { setTimeout as delay } from 'node:timers/promises';
import { turns } from '../turns';

/** So many in one turn of the event loop, since others wait for it. */
const together = 8;

/** What comes in quick succession goes on together; what comes alone does not wait. */
export class Gathering {
  #wentAt = -Infinity;
  #waiting: (() => void)[] = [];

  /** @param withinMs for how long others are waited for at most */
  constructor(private readonly withinMs: number) {}

  /** Settles when it may go on; undefined: now. */
  join(): Promise<void> | undefined {
    if (this.#waiting.length === 0) {
      const now = performance.now();
      const waitMs = this.#wentAt + this.withinMs - now;
      if (waitMs <= 0) {
        this.#wentAt = now;
        return undefined;
      }
      void delay(waitMs).then(() => this.#letGo());
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #letGo(): Promise<void> {
    this.#wentAt = performance.now();
    const gathered = this.#waiting;
    this.#waiting = [];
    for (let at = 0; at < gathered.length; at += together) {
      await turns.next();
      for (const goOn of gathered.slice(at, at + together)) goOn();
    }
  }
}
