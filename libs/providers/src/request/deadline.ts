/**
 * Aborts a request when its time is up, or when its caller gives it up. In place of `AbortSignal.any` and `.timeout`: those
 * hold what they belong to until the time is up, though it was answered in a hundredth of it.
 */
export class Deadline {
  #why: 'deadline' | 'cancelled' | undefined;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;

  constructor(
    totalMs: number,
    private readonly caller?: AbortSignal,
  ) {
    this.#timer = setTimeout(() => this.#abort('deadline'), totalMs);
    if (caller?.aborted) this.#cancel();
    else caller?.addEventListener('abort', this.#cancel, { once: true });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Absent: neither. */
  get why(): 'deadline' | 'cancelled' | undefined {
    return this.#why;
  }

  /** It was answered, or failed otherwise. */
  clear(): void {
    clearTimeout(this.#timer);
    this.caller?.removeEventListener('abort', this.#cancel);
  }

  readonly #cancel = (): void => this.#abort('cancelled');

  #abort(why: 'deadline' | 'cancelled'): void {
    this.#why ??= why;
    this.#controller.abort();
  }
}
