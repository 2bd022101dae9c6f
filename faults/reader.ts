import { Agent, request } from 'undici';
import type { Answer, Record } from './record';

const timeoutMs = 5_000;

/** Asks brokers for tokens as a service does, and notes every answer. */
export class Reader {
  readonly #agent = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs, connectTimeout: timeoutMs });
  readonly #tokens = new Map<string, number>();
  readonly #loops = new Set<{ going: boolean; ended: Promise<unknown> }>();

  constructor(
    private readonly record: Record,
    private readonly urlOf: (broker: number) => string,
    private readonly keyOf: () => string,
  ) {}

  /** One read. Never rejects: no answer is an answer, too. */
  async read(client: string, broker = 0): Promise<Answer> {
    const answer: Answer = { ...(await this.#ask(client, broker)) };
    this.record.answers.push(answer);
    return answer;
  }

  /** One reader for each pair of client and broker, each with a pause after every answer, until stopped. */
  start(clients: string[], brokers: number[], pauseMs: number): { stop(): Promise<void> } {
    const loops = clients.flatMap((client) => brokers.map((broker) => this.#loop(client, broker, pauseMs)));
    return { stop: async () => void (await Promise.all(loops.map((loop) => this.#end(loop)))) };
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#loops].map((loop) => this.#end(loop)));
    await this.#agent.destroy();
  }

  #loop(client: string, broker: number, pauseMs: number): { going: boolean; ended: Promise<unknown> } {
    const loop = { going: true, ended: Promise.resolve() };
    const run = async (): Promise<void> => {
      // Nobody reads at a broker that has ended: another one would be asked.
      while (loop.going && this.record.brokers[broker]!.endedAt === undefined) {
        await this.read(client, broker);
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    };
    loop.ended = run();
    this.#loops.add(loop);
    return loop;
  }

  #end(loop: { going: boolean; ended: Promise<unknown> }): Promise<unknown> {
    loop.going = false;
    return loop.ended;
  }

  async #ask(client: string, broker: number): Promise<Answer> {
    const noted = { sentAt: Date.now(), client, broker };
    try {
      const { statusCode, headers, body } = await request(`${this.urlOf(broker)}/v1/clients/${client}/token`, {
        dispatcher: this.#agent,
        headers: { authorization: `Bearer ${this.keyOf()}` },
      });
      const text = await body.text();
      const receivedAt = Date.now();
      const told = JSON.parse(text);
      if (statusCode !== 200) {
        const retryAfter = headers['retry-after'];
        const { code, reason } = told;
        const why = { code, ...(reason && { reason }), ...(retryAfter && { retryAfterSeconds: Number(retryAfter) }) };
        return { ...noted, receivedAt, status: statusCode, ...why };
      }
      const token = this.#tokenIndex(told.access_token, client);
      const generation = Number(String(headers.etag).slice(1, -1));
      return { ...noted, receivedAt, status: 200, token, generation, expiresInSeconds: told.expires_in };
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      return { ...noted, receivedAt: Date.now(), status: 0, code: code ?? message };
    }
  }

  #tokenIndex(value: string, client: string): number {
    const known = this.#tokens.get(value);
    if (known !== undefined) return known;
    const unknownYet = { issuedAt: NaN, expiresAt: NaN, supersededAt: null, revokedAt: null, rotations: 0 };
    const index = this.record.tokens.push({ value, client, ...unknownYet }) - 1;
    this.#tokens.set(value, index);
    return index;
  }
}
