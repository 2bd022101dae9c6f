import { type Clock, type Moment, msLeft } from './clock';
import { hidden, inspect, shown } from './hidden';
import type { ServedToken } from './wire';

type Texts = Readonly<Record<string, string>>;

/** An access token, as the broker served it. Printed, it shows whose it is and how long it lasts. */
export class Token {
  readonly #served: ServedToken;
  readonly #etag: string;
  readonly #asked: Moment;
  readonly #clock: Clock;
  readonly #headers: Texts;

  constructor(served: ServedToken, etag: string, asked: Moment, clock: Clock) {
    [this.#served, this.#etag, this.#asked, this.#clock] = [served, etag, asked, clock];
    this.#headers = hidden(served.headers);
  }

  /** Name of the client that it was issued for. */
  get client(): string {
    return this.#served.client;
  }

  get accessToken(): string {
    return this.#served.access_token;
  }

  get tokenType(): string {
    return this.#served.token_type;
  }

  /** Ready to send to the provider's API. */
  get headers(): Texts {
    return this.#headers;
  }

  /** Query parameters that a call has to carry besides. */
  get query(): Texts {
    return hidden(this.#served.query ?? {});
  }

  /** By name; they stand in `headers` too. */
  get cookies(): Texts {
    return hidden(this.#served.cookies ?? {});
  }

  /** What else the provider told, such as where its API is. */
  get outputs(): Texts {
    return hidden(this.#served.outputs ?? {});
  }

  get scope(): string | undefined {
    return this.#served.scope;
  }

  /** Which token of the client it is: the broker's ETag, quotes included. */
  get etag(): string {
    return this.#etag;
  }

  /** By the clock of this machine. */
  get expiresAt(): Date {
    return new Date(this.#asked.now + this.#served.expires_in * 1_000);
  }

  /** Whole seconds for which it may still be used; 0 when it may not. */
  get expiresIn(): number {
    return Math.floor(this.msLeft() / 1_000);
  }

  /** @internal */
  msLeft(): number {
    return msLeft(this.#asked, this.#served.expires_in * 1_000, this.#clock);
  }

  toJSON(): object {
    return { client: this.client, token_type: this.tokenType, expires_at: this.expiresAt.toISOString() };
  }

  [inspect](): string {
    return shown('Token', { client: this.client, expiresAt: this.expiresAt });
  }
}
