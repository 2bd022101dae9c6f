import type { IncomingMessage } from 'node:http';
import { type Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { createApiAgent, isDeadBy, isDeadWith } from '#providers';
import type { ServableToken, TokenService } from '#tokens';
import type { Metrics } from '../ops/metrics';
import { Places } from '../places';
import { Problem } from '../problem';
import { isWorthReading, lookInto } from './answer-body';
import { type ClientApi, ClientApis } from './client-api';
import { joined, type RawHeaders, requestHeaders, responseHeaders } from './headers';
import { type RequestBody, requestBody } from './request-body';
import { queryWith, type Target } from './target';
import { upstreamProblem } from './upstream-problem';

const connectMs = 5_000;
const headersMs = 60_000;

export interface ProxySettings {
  maxBodyBytes: number;
  /** For the whole of a call, to the last byte of its answer. */
  timeoutMs: number;
  /** Calls under way in this process. */
  maxRequests: number;
}

/** One call of a service to the API of a client. */
export interface Call {
  clientId: string;
  service: string;
  target: Target;
  request: IncomingMessage;
  /** Hears of each token before it goes out. */
  used(token: ServableToken): void;
  /** The caller has gone. */
  gone: AbortSignal;
}

export interface ProxyAnswer {
  status: number;
  headers: string[];
  body: AsyncIterable<Buffer>;
  /** Has to be called once, when the answer was passed on or nobody wants it any more. */
  end(): void;
}

interface Attempt {
  status: number;
  raw: RawHeaders;
  body: Readable;
  /** All of the body, as if nobody had looked at it. */
  all: AsyncIterable<Buffer>;
  isDead: boolean;
}

/**
 * Passes calls on to the API of a client, with the client's token: the caller never holds it. Connections, places and time
 * are its own, so that an API that is slow or never ends costs the token route nothing.
 */
export class Proxy {
  readonly #tokens: TokenService;
  readonly #agent: Dispatcher;
  readonly #apis: ClientApis;
  readonly #places: Places;

  constructor(
    private readonly parts: {
      tokens: TokenService;
      metrics: Pick<Metrics, 'proxied'>;
      allowedOrigins: readonly string[];
      settings: ProxySettings;
    },
  ) {
    const { tokens, allowedOrigins, settings } = parts;
    this.#tokens = tokens;
    this.#apis = new ClientApis(tokens, { allowedOrigins });
    this.#places = new Places(settings.maxRequests, busy);
    const bodyMs = settings.timeoutMs;
    this.#agent = createApiAgent({
      allowedOrigins,
      // As many as there may be calls: clients whose API is the same do not wait for each other's.
      connections: settings.maxRequests,
      connectMs,
      headersMs: Math.min(headersMs, bodyMs),
      bodyMs,
    });
  }

  /** @throws Problem, TokenUnavailable */
  async forward(call: Call): Promise<ProxyAnswer> {
    const free = this.#places.take(call.clientId);
    const over = new AbortController();
    let because: 'deadline' | undefined;
    const timer = setTimeout(() => {
      because = 'deadline';
      over.abort();
    }, this.parts.settings.timeoutMs);
    const leave = (): void => over.abort();
    call.gone.addEventListener('abort', leave, { once: true });
    if (call.gone.aborted) leave();
    const end = (): void => {
      clearTimeout(timer);
      call.gone.removeEventListener('abort', leave);
      over.abort();
      free();
    };
    const since = performance.now();
    let where: ClientApi | undefined;
    const count = (what: string) => this.parts.metrics.proxied(where!.provider, what, performance.now() - since);
    try {
      const token = this.#tokens.peek(call.clientId) ?? (await this.#tokens.get(call.clientId));
      where = await this.#apis.of(token);
      const body = await requestBody(call.request, this.parts.settings.maxBodyBytes, over.signal);
      const { status, raw, all } = await this.#sendAndRepeat(call, where, token, body, over.signal);
      count(`${Math.floor(status / 100)}xx`);
      return { status, headers: responseHeaders(raw), body: all, end };
    } catch (error) {
      end();
      const problem = where ? upstreamProblem(error, new URL(where.api.origin).host, because) : error;
      const code = problem instanceof Problem ? problem.code : '';
      if (code.startsWith('upstream_') && !call.gone.aborted) count(code.slice('upstream_'.length));
      throw problem;
    }
  }

  /** Settles when no call is under way. */
  idle(): Promise<void> {
    return this.#places.empty();
  }

  /** Waits for no call: those under way are cut off. */
  close(): Promise<void> {
    return this.#agent.destroy();
  }

  /** Once more with the next token where the API says that this one is dead: it has done nothing then, whatever the method. */
  async #sendAndRepeat(
    call: Call,
    where: ClientApi,
    token: ServableToken,
    body: RequestBody,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const first = await this.#send(call, where, token, body, signal);
    if (!first.isDead) return first;
    if (body.kind === 'stream') {
      this.#report(call, token);
      return first;
    }
    const next = await this.#next(call, token);
    // What the API said to the first is still an answer.
    if (!next || signal.aborted) return first;
    // But not once the second has gone out: what came of that is not known, and the first would say that nothing did.
    const second = await this.#send(call, next.where, next.token, body, signal);
    first.body.on('error', () => undefined).destroy();
    if (second.isDead) this.#report(call, next.token);
    return second;
  }

  /** The token after this one, if it can be had, and where it may be sent. */
  async #next(
    { clientId, service }: Call,
    { generation }: ServableToken,
  ): Promise<{ token: ServableToken; where: ClientApi } | undefined> {
    try {
      const token = await this.#tokens.replace(clientId, generation, service);
      return token && { token, where: await this.#apis.of(token) };
    } catch {
      return undefined;
    }
  }

  #report({ clientId, service }: Call, { generation }: ServableToken): void {
    this.#tokens.reject(clientId, generation, service).catch(() => undefined);
  }

  async #send(
    { request, target, used }: Call,
    { api }: ClientApi,
    token: ServableToken,
    body: RequestBody,
    signal: AbortSignal,
  ): Promise<Attempt> {
    const keepsLength = body.kind === 'stream' && body.sized;
    used(token);
    const response = await this.#agent.request({
      origin: api.origin,
      path: (api.basePath + target.path || '/') + queryWith(target.query, token.query),
      method: request.method as Dispatcher.HttpMethod,
      headers: requestHeaders(request.rawHeaders, { token, api, keepsLength }),
      body: body.kind === 'none' ? null : body.kind === 'whole' ? body.bytes : body.stream,
      signal,
      responseHeaders: 'raw',
    } as Dispatcher.RequestOptions);
    const raw = response.headers as unknown as RawHeaders;
    const attempt = { status: response.statusCode, raw, body: response.body, all: response.body, isDead: false };
    const head = { status: attempt.status, headers: joined(raw) };
    const isDead = isDeadBy(api, head);
    if (isDead !== 'unread') return { ...attempt, isDead };
    if (request.method === 'HEAD' || !isWorthReading(head.headers)) return attempt;
    const { text, all } = await lookInto(response.body, head.headers['content-encoding']);
    return { ...attempt, all, isDead: text !== undefined && isDeadWith(api, head, text) };
  }
}

function busy(to: 'all' | 'one'): Problem {
  const detail = to === 'all' ? 'in this replica' : 'for this client';
  return new Problem('proxy_busy', `There are too many calls under way ${detail}.`, {
    headers: { 'retry-after': '1' },
  });
}
