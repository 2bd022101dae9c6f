import { type Settings, TokenBroker } from '../broker';
import type { Fetch } from '../http/transport';
import type { ErrorCode } from '../wire';
import { FakeClient, type FakeClientOptions, type FakeFailure } from './fake-client';
import { FakeClock } from './fake-clock';
import { type NodeRequest, type NodeResponse, nodeListener } from './node-listener';

export interface FakeRequest {
  method: string;
  /** With its query. */
  path: string;
  status: number;
}

const statuses: Partial<Record<ErrorCode, number>> = {
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  client_disabled: 409,
  validation_failed: 400,
  internal: 500,
};

/**
 * The consumers' side of a broker, in this process: tokens, waiting for the next one and rejections, answered as the real
 * one does. Time stands still until `clock.advance()`; who sleeps, as between two attempts, wakes up at once.
 */
export class FakeBroker {
  readonly url = 'http://broker.test';
  /** Of a service that may fetch every client's token. */
  readonly key: string;
  readonly clock = new FakeClock();
  /** Everything that was asked, the oldest first. */
  readonly requests: FakeRequest[] = [];
  readonly #clients = new Map<string, FakeClient>();
  readonly #script: FakeFailure[] = [];
  #away = false;

  constructor({ key = 'tbk_fake' }: { key?: string } = {}) {
    this.key = key;
  }

  /** A client that is granted to the service. */
  client(name: string, options: FakeClientOptions = {}): FakeClient {
    const client = new FakeClient(name, this.clock, options);
    this.#clients.set(name, client);
    return client;
  }

  /** The grant is withdrawn. */
  remove(name: string): void {
    this.#clients.delete(name);
  }

  /** An SDK that asks this broker, by its clock. */
  connect(more: Partial<Settings> & { key?: string } = {}): TokenBroker {
    const { url, key, fetch, clock } = this;
    return new TokenBroker({ url, key, fetch, clock, random: () => 0.5, ...more });
  }

  /** Nothing listens any more, until `comeBack()`. */
  goAway(): void {
    this.#away = true;
  }

  comeBack(): void {
    this.#away = false;
  }

  /** The next requests are answered so, one each. */
  answerNext(...failures: FakeFailure[]): void {
    this.#script.push(...failures);
  }

  /** In place of the global one. */
  readonly fetch: Fetch = async (input, init) => {
    const request = new Request(input, init);
    if (this.#away) throw new TypeError('fetch failed: nobody listens');
    const { pathname, search } = new URL(request.url);
    const response = await this.#answer(request);
    this.requests.push({ method: request.method, path: pathname + search, status: response.status });
    return response;
  };

  /** The provider's API of that client: 401 unless the request carries what it wants; else what the test says. */
  api(name: string, answer: Fetch = async () => Response.json({ ok: true })): Fetch {
    return async (input, init) => {
      const request = new Request(input, init);
      const known = this.#clients.get(name)?.accepts(request.headers);
      return known ? answer(request) : Response.json({ error: 'the token is not valid' }, { status: 401 });
    };
  }

  /** For `createServer(fake.listener)` of node:http. */
  readonly listener = (request: NodeRequest, response: NodeResponse): void => {
    void nodeListener(this.fetch, request, response);
  };

  async #answer(request: Request): Promise<Response> {
    const scripted = this.#script.shift();
    if (scripted) return problem(scripted);
    if (request.headers.get('authorization') !== `Bearer ${this.key}`) return problem({ code: 'unauthenticated' });
    const { pathname, searchParams } = new URL(request.url);
    const [, name, rest] = /^\/v1\/clients\/([^/]+)\/token(\/rejections)?$/.exec(pathname) ?? [];
    const client = name === undefined ? undefined : this.#clients.get(decodeURIComponent(name));
    if (!client) return problem({ code: 'not_found', detail: 'There is no such client granted to this service.' });
    if (client.disabled) return problem({ code: 'client_disabled' });
    if (rest && request.method === 'POST') {
      const { etag } = (await request.json()) as { etag?: unknown };
      return Response.json(client.reject(etag), { status: 202 });
    }
    return this.#token(client, searchParams, request);
  }

  async #token(client: FakeClient, query: URLSearchParams, { headers, signal }: Request): Promise<Response> {
    const known = headers.get('if-none-match');
    const wait = Number(query.get('wait') ?? 0);
    let served = client.serve(Number(query.get('min_ttl') ?? 0));
    if (known === client.etag && wait > 0) {
      await client.news(wait, signal);
      if (this.#away) throw new TypeError('fetch failed: the connection was cut');
      if (client.disabled) return problem({ code: 'client_disabled' });
      served = client.serve(0);
    }
    if ('code' in served) return problem(served);
    const about = { etag: client.etag, 'cache-control': 'no-store' };
    if (known === client.etag) return new Response(null, { status: 304, headers: about });
    return Response.json(served, { headers: about });
  }
}

function problem({ code, detail = code, retryAfterSeconds, ...more }: FakeFailure): Response {
  const status = statuses[code] ?? 503;
  const body = { type: `/docs/errors.md#${code}`, title: code, status, detail, code, request_id: 'fake', ...more };
  const headers = new Headers({ 'content-type': 'application/problem+json' });
  if (retryAfterSeconds !== undefined) headers.set('retry-after', String(retryAfterSeconds));
  return new Response(JSON.stringify(body), { status, headers });
}
