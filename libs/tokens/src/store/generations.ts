import { setImmediate as endOfTurn } from 'node:timers/promises';
import { clientKeys, shardOf } from './redis-keys';
import type { Reply } from './redis-replies';

/** Redis does nothing else meanwhile. */
const together = 100;

/** About many clients, with one promise for all of their answers. */
interface Question {
  keys: string[];
  answers: Promise<Reply>;
}

/** What is asked in one turn of the event loop is one question: a command costs this process more than its answer. */
export class Generations {
  /** Those that more may be asked with: one, or in a cluster one of each shard. */
  readonly #open = new Map<number, Question>();

  constructor(
    private readonly ask: (keys: string[]) => Promise<Reply>,
    /** In a cluster no question can be about more. */
    private readonly onlyOneShard: boolean,
  ) {}

  async of(clientId: string): Promise<string | undefined> {
    const shard = this.onlyOneShard ? shardOf(clientId) : 0;
    const question = this.#open.get(shard) ?? this.#begin(shard);
    const at = question.keys.push(clientKeys(clientId).client) - 1;
    if (question.keys.length === together) this.#open.delete(shard);
    return (await question.answers)[at]?.toString();
  }

  #begin(shard: number): Question {
    const keys: string[] = [];
    const send = (): Promise<Reply> => {
      if (this.#open.get(shard) === question) this.#open.delete(shard);
      return this.ask(keys);
    };
    const question: Question = { keys, answers: endOfTurn().then(send) };
    this.#open.set(shard, question);
    return question;
  }
}
