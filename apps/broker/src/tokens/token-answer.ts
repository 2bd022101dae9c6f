import type { ServableToken, TokenService } from '#tokens';
import type { Authenticator, Caller, Credentials } from '../auth/authenticator';
import { isName } from '../admin/name';
import type { Metrics } from '../ops/metrics';
import { invalid } from '../problem';
import { type ProblemAnswer, problemAnswer } from '../problem.filter';
import { type Permitted, permitted } from './permitted';

/** A day: nothing that lives longer needs asking for so much. */
const maxMinTtlSeconds = 86_400;

/** One token handed out, confirmed with 304, or sent with a call through the proxy. */
export interface TokenRead {
  service: string;
  /** Absent where the service showed no key of ours. */
  keyId?: string | undefined;
  clientId: string;
  /** The client's name. */
  client: string;
  generation: string;
  /** Wall clock, ms. */
  at: number;
}

/** Hears of every read. It is called on the path of the answer, so it only takes notes. */
export interface ReadObserver {
  note(read: TokenRead): void;
}

/** What a request for a token says, by whichever door it came. */
export interface TokenQuestion {
  credentials: Credentials;
  /** As it stands in the path, decoded. */
  name: string;
  /** As it stands in the query. */
  minTtl?: unknown;
}

/** A question that may be answered. */
export interface Admitted extends Permitted {
  minTtlSeconds: number;
}

export interface TokenAnswerParts {
  authenticator: Authenticator;
  tokens: TokenService;
  metrics: Metrics;
  reads?: ReadObserver;
}

/**
 * What the consumers' doors answer, whatever they write it on. In steps, since a door that has seen the same question a
 * moment ago need not take them all again. A warm answer touches neither database nor Redis.
 */
export class TokenAnswers {
  readonly #authenticator: Authenticator;
  readonly #tokens: TokenService;
  readonly #metrics: Metrics;
  readonly #reads: ReadObserver | undefined;

  constructor({ authenticator, tokens, metrics, reads }: TokenAnswerParts) {
    this.#authenticator = authenticator;
    this.#tokens = tokens;
    this.#metrics = metrics;
    this.#reads = reads;
  }

  /** Who asks, and whether they may. @throws Problem, at once or later */
  admit(question: TokenQuestion): Admitted | Promise<Admitted> {
    const { credentials, name } = question;
    // What cannot be a name is looked for under no name: the key is checked all the same, and nothing found.
    const lookedFor = isName(name) ? name : '';
    const caller = this.#authenticator.identifyNow(credentials, lookedFor);
    if (caller !== undefined) return permittedFor(caller, question);
    return this.#authenticator.identify(credentials, lookedFor).then((found) => permittedFor(found, question));
  }

  /** Whether the very same question need not be judged anew. */
  stillAdmitted({ caller }: Admitted): boolean {
    return this.#authenticator.stillKnown(caller);
  }

  /** The same question again, from who waits for another answer. @throws Problem */
  async readmit(question: TokenQuestion, admitted: Admitted): Promise<Admitted> {
    return this.stillAdmitted(admitted) ? admitted : this.admit(question);
  }

  /** For who waits for the next token. */
  nextNews({ clientId }: Admitted, withinMs: number): ReturnType<TokenService['nextNews']> {
    return this.#tokens.nextNews(clientId, withinMs);
  }

  /** So many wait. */
  waiting(count: number): void {
    this.#metrics.waiting(count);
  }

  /** The token, if nobody has to be asked for it. */
  peek({ clientId, minTtlSeconds }: Admitted): ServableToken | undefined {
    return this.#tokens.peek(clientId, minTtlSeconds);
  }

  /** @throws TokenUnavailable */
  get({ clientId, minTtlSeconds }: Admitted): Promise<ServableToken> {
    return this.#tokens.get(clientId, { minTtlSeconds });
  }

  /** It goes out, or is confirmed. */
  served(admitted: Admitted, token: ServableToken, how: 'hit' | 'miss' | 'not_modified'): void {
    this.#metrics.served(how);
    this.used(admitted, token);
  }

  /** It goes out on behalf of the service: to it, or with a call of its to the API. */
  used({ service, clientId, name }: Admitted, token: ServableToken): void {
    const { keyId, name: serviceName } = service;
    const { generation } = token;
    this.#reads?.note({ service: serviceName, keyId, clientId, client: name, generation, at: Date.now() });
  }

  refused(error: unknown, requestId: string): ProblemAnswer {
    this.countRefusal();
    return problemAnswer(error, requestId);
  }

  /** For doors that refuse in words of their own. */
  countRefusal(): void {
    this.#metrics.served('refused');
  }

  /** Whole seconds that a service is told. */
  expiresIn(token: ServableToken): number {
    return this.#tokens.runwaySeconds(token);
  }

  /** All but the seconds that it is given stays as it is, unless it is a single live token: then `expires_at` does not. */
  body(token: ServableToken, client: string, expires_in: number): string {
    const { accessToken, rest } = token.json;
    const type = JSON.stringify(token.tokenType);
    const expiresAt = new Date(this.#tokens.expiresAt(token)).toISOString();
    const times = `"expires_in":${expires_in},"expires_at":"${expiresAt}"`;
    return `{"client":${JSON.stringify(client)},"access_token":${accessToken},"token_type":${type},${times},${rest}}`;
  }
}

export function etagOf(token: ServableToken): string {
  return `"${token.generation}"`;
}

/** RFC 9110 13.1.2, weak comparison. */
export function matches(ifNoneMatch: string | undefined, token: ServableToken): boolean {
  if (ifNoneMatch === undefined) return false;
  const etag = etagOf(token);
  if (ifNoneMatch === etag) return true;
  return ifNoneMatch.split(',').some((part) => part.trim().replace(/^W\//, '') === etag || part.trim() === '*');
}

function permittedFor(found: Caller | null, { name, minTtl }: TokenQuestion): Admitted {
  // Each part by its name: to spread them takes longer than all else here.
  const { caller, clientId, service } = permitted(found, name);
  return { caller, name, clientId, service, minTtlSeconds: minTtlOf(minTtl) };
}

function minTtlOf(given: unknown): number {
  if (given === undefined) return 0;
  const seconds = typeof given === 'string' && /^\d{1,6}$/.test(given) ? Number(given) : NaN;
  if (seconds <= maxMinTtlSeconds) return seconds;
  throw invalid('/min_ttl', `min_ttl must be a whole number of seconds from 0 to ${maxMinTtlSeconds}`);
}
