import { LRUCache } from 'lru-cache';
import type { ServableToken } from '#tokens';

/** Of the tokens asked for last, so many. An answer of 2 KB takes more memory than all else of its token. */
const most = 2_000;
const mostBytes = 4 * 1024 * 1024;

/**
 * Answers that are kept to be sent again: one for each client, and only of those clients that are asked for often. However
 * many others are asked for in between, they take neither memory nor place.
 */
export class Prepared<A extends { token: ServableToken; bytes: Buffer }> {
  readonly #kept = new LRUCache<string, A>({
    ...{ max: most, maxSize: mostBytes },
    sizeCalculation: ({ bytes }) => bytes.length,
  });
  readonly #askedFor = new LRUCache<string, true>({ max: most });

  of(token: ServableToken): A | undefined {
    const answer = this.#kept.get(token.clientId);
    return answer?.token === token ? answer : undefined;
  }

  /** Whether it was asked for a while ago, too: then an answer to it should be kept. */
  isWorth({ clientId }: ServableToken): boolean {
    const again = this.#askedFor.get(clientId) === true;
    if (!again) this.#askedFor.set(clientId, true);
    return again;
  }

  keep(answer: A): void {
    this.#kept.set(answer.token.clientId, answer);
  }

  /** Somebody else has its bytes now. */
  letGo({ clientId }: ServableToken): void {
    this.#kept.delete(clientId);
  }
}
