import type { Clock } from '../clock';

/** Time that goes on only when told to, or when somebody sleeps: then at once to the end of the sleep. */
export class FakeClock implements Clock {
  #ms: number;
  readonly #waiting = new Set<{ at: number; wake: () => void }>();

  constructor(ms = Date.UTC(2030, 0, 1)) {
    this.#ms = ms;
  }

  now(): number {
    return this.#ms;
  }

  steady(): number {
    return this.#ms;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.advance(ms / 1_000);
  }

  advance(seconds: number): void {
    this.#ms += seconds * 1_000;
    for (const each of this.#waiting) if (each.at <= this.#ms) each.wake();
  }

  /** A promise of the end of that time, and what brings it about sooner. */
  wait(seconds: number): { promise: Promise<void>; done: () => void } {
    let wake = (): void => undefined;
    const promise = new Promise<void>((resolve) => (wake = resolve));
    const each = { at: this.#ms + seconds * 1_000, wake };
    const done = (): void => {
      this.#waiting.delete(each);
      wake();
    };
    each.wake = done;
    this.#waiting.add(each);
    return { promise, done };
  }
}
