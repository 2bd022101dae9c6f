import { Admin } from './admin/admin';
import { AllowedOrigins } from './allowed-origins';
import { ApiRequest } from './api-request';
import { type Clock, systemClock } from './clock';
import { brokerUrl, type Environment, processEnvironment, setting } from './environment';
import { Misconfigured } from './errors';
import { inspect, shown } from './hidden';
import { type Fetch, Transport } from './http/transport';
import { Rejections } from './rejections';
import type { Token } from './token';
import { Tokens, type Wanted } from './tokens';
import { Watcher } from './watcher';
import type { RejectionView } from './wire';

export interface Settings {
  /** Of the broker: `https://broker.example.com`. */
  url: string;
  /** In place of the global one. */
  fetch?: Fetch;
  /** For which a call goes on trying, retries included; 30. */
  timeoutSeconds?: number;
  /** Has the broker tell of each new token as soon as it is there, for clients in use. `close()` ends it. */
  watch?: boolean;
  /** For tests. */
  clock?: Clock;
  /** For tests: from 0 to 1. */
  random?: () => number;
}

/** Either the key of a service (or an admin), or what brings a token of a trusted issuer whenever one is needed. */
export type TokenBrokerOptions = Settings & ({ key: string } | { token: () => string | Promise<string> });

export interface FetchForOptions {
  /** Where the token may be sent, exactly: `https://api.example.com`. A path alone is taken to be at the first. */
  origins: readonly string[];
  /**
   * Whether the API says that the token is dead; absent: with status 401 or 498. To read the body, read that of
   * `response.clone()`.
   */
  isDead?: (response: Response) => boolean | Promise<boolean>;
  /** In place of the one that the broker is asked with. */
  fetch?: Fetch;
}

/** Tokens for this program, and the broker's administration for those who may. */
export class TokenBroker {
  /** Every route for admins. It takes an admin's key. */
  readonly admin: Admin;
  readonly #url: string;
  readonly #fetch: Fetch;
  readonly #tokens: Tokens;
  readonly #rejections: Rejections;
  readonly #watcher: Watcher;

  /** @throws Misconfigured */
  constructor(options: TokenBrokerOptions) {
    const { fetch, timeoutSeconds = 30, watch = false, clock = systemClock, random = Math.random } = options;
    if (!(timeoutSeconds > 0)) throw new Misconfigured('timeoutSeconds must be a number above 0.');
    this.#url = brokerUrl(options.url);
    // Looked up at each call, and called as a function of the global object, as some runtimes insist.
    this.#fetch = fetch ?? ((input, init) => globalThis.fetch(input, init));
    const parts = { fetch: this.#fetch, clock, random, timeoutMs: timeoutSeconds * 1_000 };
    const transport = new Transport({ url: this.#url, credential: credentialOf(options), ...parts });
    const watcher = (this.#watcher = new Watcher(clock, random));
    const tokens: Tokens = new Tokens(transport, clock, random, (entry) => watch && watcher.watch(entry, tokens));
    this.#tokens = tokens;
    this.#rejections = new Rejections({ transport, tokens, clock, random });
    this.admin = new Admin(transport, clock, random);
  }

  /**
   * By the variables `TOKEN_BROKER_URL` and `TOKEN_BROKER_KEY`.
   * @param environment where there is no `process.env`
   * @throws Misconfigured
   */
  static fromEnv(more: Omit<Settings, 'url'> & { environment?: Environment } = {}): TokenBroker {
    const { environment = processEnvironment(), ...settings } = more;
    const url = setting(environment, 'TOKEN_BROKER_URL', 'https://broker.example.com');
    const key = setting(environment, 'TOKEN_BROKER_KEY', 'the tbk_… that an admin made for this service');
    return new TokenBroker({ url, key, ...settings });
  }

  /**
   * A token of that client. From memory where there is a good one; a newer one is fetched ahead of need. While the
   * broker is away, one that is still good is served.
   * @param wanted.minTtl seconds that it shall last at least; where no such token can be had, one that is still good comes
   * @throws TokenBrokerError, or the reason of the signal
   */
  getToken(client: string, wanted: Wanted = {}): Promise<Token> {
    return this.#tokens.get(client, wanted);
  }

  /**
   * A `fetch` for the API of that client's provider. It adds what the provider wants; when the API says that the token is
   * dead, it reports that, gets another and sends the request once more, unless its body was a stream.
   * @throws Misconfigured
   */
  fetchFor(client: string, options: FetchForOptions): Fetch {
    const { isDead = saysDead, fetch = this.#fetch } = options;
    const origins = new AllowedOrigins(options.origins);
    return async (input, init) => {
      const request = new ApiRequest(input, init, origins);
      const { signal } = request;
      const token = await this.#tokens.get(client, { signal });
      const response = await request.send(token, fetch);
      if (!(await isDead(response))) return response;
      const replacement = this.#rejections.replace(token, signal);
      if (!request.repeatable) {
        replacement.catch(() => undefined); // for the next call
        return response;
      }
      const fresh = await replacement;
      if (!fresh) return response;
      await response.body?.cancel();
      return request.send(fresh, fetch);
    };
  }

  /**
   * Tells the broker that the provider refused this token, so that it gets another. `fetchFor` does so by itself.
   * @throws TokenBrokerError, or the reason of the signal
   */
  rejectToken(
    token: Pick<Token, 'client' | 'etag'>,
    { signal }: { signal?: AbortSignal } = {},
  ): Promise<RejectionView> {
    return this.#rejections.report(token, { signal });
  }

  /** Ends what is watched and forgets the tokens. */
  close(): void {
    this.#watcher.close();
    this.#tokens.clear();
  }

  toJSON(): object {
    return { url: this.#url };
  }

  [inspect](): string {
    return shown('TokenBroker', { url: this.#url });
  }
}

function saysDead({ status }: Response): boolean {
  return status === 401 || status === 498;
}

function credentialOf(options: TokenBrokerOptions): () => string | Promise<string> {
  if ('key' in options && typeof options.key === 'string' && options.key.trim() !== '') return () => options.key;
  if ('token' in options && typeof options.token === 'function') return options.token;
  throw new Misconfigured('Give the key of this service (key), or a function that brings a token of its own (token).');
}
