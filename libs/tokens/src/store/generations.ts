import { clientKeys, shardOf } from './redis-keys';
import type { Reply } from './redis-replies';

/** More are not waited for: Redis looks for these while this process reads the next requests, and neither waits for the other. */
const together = 16;

/** About many clients, with one promise for all of their answers. */
interface Question {
  keys: string[];
  answers: Promise<Reply>;
  resolve: (answers: Promise<Reply>) => void;
}

/** What is asked in one turn of the event loop is one question: a command costs this process more than its answer. */
export class Generations {
  /** Those that more may be asked with: one, or in a cluster one of each shard. */
  readonly #open = new Map<number, Question>();

  constructor(
    private readonly ask: (keys: string[]) => Promise<Reply>,
    /** In a cluster no command can be about more. */
    private readonly onlyOneShard: boolean,
  ) {}

  async of(clientId: string): Promise<string | undefined> {
    const shard = this.onlyOneShard ? shardOf(clientId) : 0;
    const question = this.#open.get(shard) ?? this.#begin(shard);
    const at = question.keys.push(clientKeys(clientId).client) - 1;
    if (question.keys.length === together) this.#send(shard, question);
    return (await question.answers)[at]?.toString();
  }

  #begin(shard: number): Question {
    let resolve!: Question['resolve'];
    const answers = new Promise<Reply>((settle) => (resolve = settle));
    const question: Question = { keys: [], answers, resolve };
    this.#open.set(shard, question);
    setImmediate(() => this.#send(shard, question));
    return question;
  }

  /** At the end of the turn, unless it was full before. */
  #send(shard: number, question: Question): void {
    if (this.#open.get(shard) !== question) return;
    this.#open.delete(shard);
    question.resolve(this.ask(question.keys));
  }
}
