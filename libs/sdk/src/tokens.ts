import { type Clock, unlessAborted } from './clock';
import { BrokerUnreachable, RequestRefused, takesAway } from './errors';
import type { Answer, Call, Transport } from './http/transport';
import { mayRetry } from './http/retry';
import { pathSegment } from './path';
import { Token } from './token';
import type { ServedToken } from './wire';

export interface Wanted {
  /** Seconds that the token shall last at least. */
  minTtl?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What is known of one client's token. */
export interface Entry {
  readonly name: string;
  readonly path: string;
  token?: Token;
  /** Steady milliseconds: from then on it is asked whether there is a newer one. */
  askAt: number;
  /** When it was last wanted, on the steady clock. */
  wantedAt: number;
  /** What the broker was last asked to let it last at least, and when. */
  asked?: { minTtl: number; at: number };
  flight?: Flight | undefined;
}

interface Flight {
  minTtl: number;
  /** It fails only once its time is over; otherwise after one attempt. */
  patient: boolean;
  token: Promise<Token>;
}

/** For so long the answer stands that no token lasts as long as one was wanted. */
const shortfallMs = 1_000;
/** What a caller waits for a longer-lived token, while it could have one that is still good. */
const impatientMs = 5_000;
const firstSweep = 1_000;

/** The tokens in the memory of this process: each asked for once at a time, ahead of need, and served while it is good. */
export class Tokens {
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();
  /** Told of an entry that has a token and is wanted. */
  readonly #onWanted: (entry: Entry) => void;
  #sweepAt = firstSweep;

  constructor(transport: Transport, clock: Clock, random: () => number, onWanted: (entry: Entry) => void) {
    [this.#transport, this.#clock, this.#random, this.#onWanted] = [transport, clock, random, onWanted];
  }

  async get(name: string, { minTtl = 0, signal }: Wanted = {}): Promise<Token> {
    if (!(minTtl >= 0)) throw new RangeError('minTtl must be a number of seconds, 0 or more.');
    const entry = this.#entries.get(name) ?? this.#newEntry(name);
    const now = (entry.wantedAt = this.#clock.steady());
    const { token } = entry;
    const ms = token?.msLeft() ?? 0;
    if (token && ms > 0 && (ms >= minTtl * 1_000 || this.#toldSo(entry, minTtl))) {
      if (now >= entry.askAt && !entry.flight) this.#fly(entry, 0, false);
      this.#onWanted(entry);
      return token;
    }
    signal?.throwIfAborted();
    const got = await this.#obtain(entry, minTtl, signal);
    this.#onWanted(entry);
    return got;
  }

  /** What is known of that token's client, if it is still the token that is served. */
  entryOf(token: Token): Entry | undefined {
    const entry = this.#entries.get(token.client);
    return entry?.token?.etag === token.etag ? entry : undefined;
  }

  /**
   * Asks once, whether there is another token than the present one, and lets the broker wait for it.
   * @returns whether there was
   */
  async ask(entry: Entry, more: Pick<Call, 'query' | 'signal' | 'timeoutMs' | 'attemptMs'>): Promise<boolean> {
    const before = entry.token;
    const answer = await this.#request(entry, before, more);
    if (answer.status === 304) {
      this.#plan(entry, before);
      return false;
    }
    this.#keep(entry, answer);
    return before?.etag !== entry.token?.etag;
  }

  /** The broker says that this caller is to have no token of that client any more. */
  forget(entry: Entry): void {
    delete entry.token;
    if (this.#entries.get(entry.name) === entry) this.#entries.delete(entry.name);
  }

  clear(): void {
    this.#entries.clear();
  }

  async #obtain(entry: Entry, minTtl: number, signal: AbortSignal | undefined): Promise<Token> {
    for (;;) {
      const joined = entry.flight;
      const flight = joined ?? this.#fly(entry, minTtl, true);
      try {
        const token = await unlessAborted(flight.token, signal);
        if (flight.minTtl >= minTtl || token.msLeft() >= minTtl * 1_000) return token;
      } catch (error) {
        // Of a look ahead that failed at once and could not know that somebody would depend on it.
        if (signal?.aborted || flight.patient || !mayRetry(error)) throw error;
      }
    }
  }

  /** One at a time for each client, whoever waits for it and however it ends. */
  #fly(entry: Entry, minTtl: number, needed: boolean): Flight {
    const patient = needed && !isGood(entry.token);
    const token = this.#fetch(entry, minTtl, patient).finally(() => (entry.flight = undefined));
    token.catch(() => undefined); // whoever waited may have left
    return (entry.flight = { minTtl, patient, token });
  }

  async #fetch(entry: Entry, minTtl: number, patient: boolean): Promise<Token> {
    const held = isGood(entry.token) ? entry.token : undefined;
    try {
      const query = minTtl > 0 ? { min_ttl: Math.ceil(minTtl) } : {};
      const answer = await this.#request(entry, held, { query, ...(!patient && { timeoutMs: impatientMs }) }, patient);
      entry.asked = { minTtl, at: this.#clock.steady() };
      if (answer.status !== 304) return this.#keep(entry, answer);
      this.#plan(entry, held);
      // It ran out while the broker said that it is still the one: the next answer has the whole of it.
      return isGood(held) ? held : await this.#fetch(entry, minTtl, patient);
    } catch (error) {
      if (takesAway(error)) this.forget(entry);
      else this.#plan(entry, held);
      if (error instanceof RequestRefused || !isGood(held)) throw error;
      entry.asked = { minTtl, at: this.#clock.steady() };
      return held;
    }
  }

  async #request(
    { path }: Entry,
    held: Token | undefined,
    { query, ...more }: Pick<Call, 'query' | 'signal' | 'timeoutMs' | 'attemptMs'>,
    repeatable = false,
  ): Promise<Answer> {
    const headers = isGood(held) ? { 'if-none-match': held.etag } : {};
    const answer = await this.#transport.call({ path, headers, ...(query && { query }), ...more, repeatable });
    if (answer.status !== 304 || held !== undefined) return answer;
    throw new BrokerUnreachable('304 was answered to a request that has no token.', 304);
  }

  #keep(entry: Entry, { body, headers, sentAt }: Answer): Token {
    if (!isServedToken(body)) throw new BrokerUnreachable('The answer is not one of a broker: it has no token.', 200);
    const token = (entry.token = new Token(body, headers.get('etag') ?? '', sentAt, this.#clock));
    this.#entries.set(entry.name, entry);
    this.#plan(entry, token);
    return token;
  }

  /** At two thirds of what is left, or a little before: processes that began together shall not ask together. */
  #plan(entry: Entry, token: Token | undefined): void {
    const part = 2 / 3 - this.#random() / 15;
    entry.askAt = this.#clock.steady() + Math.max(1_000, (token?.msLeft() ?? 0) * part);
  }

  #toldSo({ asked }: Entry, minTtl: number): boolean {
    return asked !== undefined && asked.minTtl >= minTtl && this.#clock.steady() - asked.at < shortfallMs;
  }

  #newEntry(name: string): Entry {
    if (this.#entries.size >= this.#sweepAt) this.#sweep();
    const entry = { name, path: `/v1/clients/${pathSegment(name)}/token`, askAt: 0, wantedAt: 0 };
    this.#entries.set(name, entry);
    return entry;
  }

  /** Whatever programs ask for, what they asked for once and no more does not stay for ever. */
  #sweep(): void {
    for (const [name, { token, flight }] of this.#entries) {
      if (!flight && !isGood(token)) this.#entries.delete(name);
    }
    this.#sweepAt = Math.max(firstSweep, this.#entries.size * 2);
  }
}

function isGood(token: Token | undefined): token is Token {
  return token !== undefined && token.msLeft() > 0;
}

function isServedToken(body: unknown): body is ServedToken {
  const { access_token, expires_in, headers } = (body ?? {}) as Partial<ServedToken>;
  return typeof access_token === 'string' && typeof expires_in === 'number' && typeof headers === 'object';
}
