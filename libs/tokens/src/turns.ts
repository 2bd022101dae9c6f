/**
 * Pieces of work that could all be done at this moment, and of which each turn of the event loop does one: whoever asked
 * for a token meanwhile is answered in between.
 */
export class Turns {
  readonly #waiting: (() => void)[] = [];

  /** Settles in a turn that is nobody else's. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#waiting.push(resolve) === 1) setImmediate(this.#letOneGo);
    });
  }

  readonly #letOneGo = (): void => {
    this.#waiting.shift()!();
    if (this.#waiting.length > 0) setImmediate(this.#letOneGo);
  };
}

/** Of this process, which has one event loop. */
export const turns = new Turns();
