import { byShard, clientKeys } from './redis-keys';
import type { Reply } from './redis-replies';

/** Redis does nothing else meanwhile. */
const together = 100;

interface Asked {
  clientId: string;
  resolve: (generation: string | undefined) => void;
  reject: (error: unknown) => void;
}

/** What is asked in one turn of the event loop is one question: a command costs this process more than its answer. */
export class Generations {
  #asked: Asked[] = [];

  constructor(
    private readonly ask: (keys: string[]) => Promise<Reply>,
    /** In a cluster no question can be about more. */
    private readonly onlyOneShard: boolean,
  ) {}

  of(clientId: string): Promise<string | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#asked.push({ clientId, resolve, reject }) === 1) setImmediate(() => this.#send());
    });
  }

  #send(): void {
    const asked = this.#asked;
    this.#asked = [];
    const groups = this.onlyOneShard ? byShard(asked, ({ clientId }) => clientId).values() : [asked];
    for (const group of groups) {
      for (let at = 0; at < group.length; at += together) void this.#askFor(group.slice(at, at + together));
    }
  }

  async #askFor(asked: Asked[]): Promise<void> {
    try {
      const answers = await this.ask(asked.map(({ clientId }) => clientKeys(clientId).client));
      for (const [i, { resolve }] of asked.entries()) resolve(answers[i]?.toString());
    } catch (error) {
      for (const { reject } of asked) reject(error);
    }
  }
}
