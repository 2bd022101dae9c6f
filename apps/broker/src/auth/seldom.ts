import { LRUCache } from 'lru-cache';

const againAfterMs = 60_000;
const maxRemembered = 1_000;

/** Says the same thing once a minute, however often it happens: what callers cause must not fill the log. */
export class Seldom {
  readonly #said = new LRUCache<string, true>({ max: maxRemembered, ttl: againAfterMs });

  constructor(private readonly log: (fields: object, words: string) => void) {}

  say(words: string, fields: Record<string, unknown>): void {
    const what = `${words} ${JSON.stringify(fields)}`;
    if (this.#said.has(what)) return;
    this.#said.set(what, true);
    this.log(fields, words);
  }
}
