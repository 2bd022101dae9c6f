import { type Clock } from './clock';
import { takesAway } from './errors';
import { delayMs } from './http/retry';
import type { Entry, Tokens } from './tokens';

/** What the broker is asked to wait for the next token. */
const waitSeconds = 30;
/** A token that nobody has wanted for so long is not watched any more. */
const idleMs = 300_000;

/** Keeps the tokens in use ahead: the broker answers as soon as there is a newer one, so that it is here before it is needed. */
export class Watcher {
  readonly #watched = new Set<Entry>();
  readonly #ending = new AbortController();
  readonly #clock: Clock;
  readonly #random: () => number;

  constructor(clock: Clock, random: () => number) {
    [this.#clock, this.#random] = [clock, random];
  }

  watch(entry: Entry, tokens: Tokens): void {
    if (this.#watched.has(entry) || this.#ending.signal.aborted) return;
    this.#watched.add(entry);
    void this.#run(entry, tokens).finally(() => this.#watched.delete(entry));
  }

  close(): void {
    this.#ending.abort();
  }

  async #run(entry: Entry, tokens: Tokens): Promise<void> {
    const { signal } = this.#ending;
    let failures = 0;
    while (!signal.aborted && entry.token && this.#clock.steady() - entry.wantedAt < idleMs) {
      const began = this.#clock.steady();
      try {
        const timeoutMs = (waitSeconds + 10) * 1_000;
        const news = await tokens.ask(entry, { query: { wait: waitSeconds }, signal, timeoutMs, attemptMs: timeoutMs });
        failures = 0;
        // A broker that cannot wait says at once that nothing is new.
        if (!news && this.#clock.steady() - began < 1_000) await this.#sleep(entry.askAt - this.#clock.steady());
      } catch (error) {
        if (takesAway(error)) return tokens.forget(entry);
        await this.#sleep(delayMs(Math.min(++failures, 10), error, this.#random));
      }
    }
  }

  #sleep(ms: number): Promise<void> {
    return this.#clock.sleep(Math.max(1_000, ms), this.#ending.signal).catch(() => undefined);
  }
}
