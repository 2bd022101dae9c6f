import { setTimeout as delay } from 'node:timers/promises';

/** What comes in quick succession goes on together; what comes alone does not wait. */
export class Gathering {
  #wentAt = -Infinity;
  #waiting: Promise<void> | undefined;

  /** @param withinMs for how long others are waited for at most */
  constructor(private readonly withinMs: number) {}

  /** Settles when it may go on; undefined: now. */
  join(): Promise<void> | undefined {
    if (this.#waiting) return this.#waiting;
    const waitMs = this.#wentAt + this.withinMs - performance.now();
    if (waitMs > 0) return (this.#waiting = delay(waitMs).then(() => this.#go()));
    this.#go();
    return undefined;
  }

  #go(): void {
    this.#waiting = undefined;
    this.#wentAt = performance.now();
  }
}
