import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { TokenBroker, type TokenBrokerOptions } from '../broker';
import { systemClock } from '../clock';
import { Misconfigured, TryAgainLater } from '../errors';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const servers: Server[] = [];
const paused: number[] = [];

/** Its answers in turn, the last of them for ever. */
async function serverOf(...answers: Answer[]): Promise<{ url: string; requests: IncomingMessage[] }> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answers[Math.min(requests.length, answers.length) - 1]!(request, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests };
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
  paused.length = 0;
});

const clock = { ...systemClock, sleep: async (ms: number) => void paused.push(ms) };
const connect = (url: string, more: Partial<TokenBrokerOptions> = {}) =>
  new TokenBroker({ url, key: 'tbk_key', clock, random: () => 0.5, ...more });

const token: Answer = (_, response) => {
  const body = { client: 'eu', access_token: 't', token_type: 'Bearer', expires_in: 60, headers: {} };
  response.writeHead(200, { etag: '"1"', 'content-type': 'application/json' }).end(JSON.stringify(body));
};
const problem =
  (status: number, code: string, headers: object = {}): Answer =>
  (_, response) =>
    response
      .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
      .end(JSON.stringify({ code, status, detail: 'It is so.', request_id: 'r-1' }));
const page =
  (status: number): Answer =>
  (_, response) =>
    response.writeHead(status, { 'content-type': 'text/html' }).end('<h1>nginx</h1>');
const cut: Answer = (request) => request.socket.destroy();
const half: Answer = (request, response) => {
  response.writeHead(200, { 'content-length': 1_000 }).write('{"client"');
  setTimeout(() => request.socket.destroy(), 20);
};

describe('a request to the broker', () => {
  it.each([
    ['is cut off', cut],
    ['is cut off within the answer', half],
    ['is answered 503', problem(503, 'database_unavailable')],
    ['is answered 429', problem(429, 'throttled')],
    ['is answered 404 by an ingress that has no broker behind it', page(404)],
    ['is answered 502 by an ingress', page(502)],
    ['is answered 200 by something else', page(200)],
  ])('that reads is repeated when it %s', async (_, failure) => {
    const { url, requests } = await serverOf(failure, failure, token);
    expect((await connect(url).getToken('eu')).accessToken).toBe('t');
    expect(requests).toHaveLength(3);
  });

  it.each([
    ['is cut off', cut],
    ['is answered 503', problem(503, 'database_unavailable')],
  ])('that changes something is never repeated, though it %s', async (_, failure) => {
    const { url, requests } = await serverOf(failure);
    const { admin } = connect(url);
    await expect(admin.services.create('checkout')).rejects.toMatchObject({ retryable: true });
    await expect(admin.clients.delete('eu')).rejects.toMatchObject({ retryable: true });
    expect(requests.map(({ method }) => method)).toEqual(['POST', 'DELETE']);
  });

  it('is repeated after a pause drawn from all of up to twice the one before, and no sooner than the broker asks', async () => {
    const busy = problem(503, 'token_unavailable');
    const asking = problem(503, 'token_unavailable', { 'retry-after': '2' });
    const { url } = await serverOf(busy, busy, asking, cut, token);
    await connect(url).getToken('eu');
    expect(paused).toEqual([100, 200, 2_100, 500]);
  });

  it('fails at once where the broker asks for a longer pause than there is time', async () => {
    const { url, requests } = await serverOf(problem(503, 'token_unavailable', { 'retry-after': '60' }), token);
    const failing = connect(url).getToken('eu');
    await expect(failing).rejects.toBeInstanceOf(TryAgainLater);
    await expect(failing).rejects.toMatchObject({ retryAfterSeconds: 60, requestId: 'r-1' });
    expect(requests).toHaveLength(1);
  });

  it('that hangs is given up when its time is over', async () => {
    const { url } = await serverOf(() => undefined);
    await expect(connect(url, { timeoutSeconds: 0.2 }).getToken('eu')).rejects.toThrow(/did not answer in time/);
  });

  it('that hangs in a fetch which knows no signals is given up all the same', async () => {
    const broker = connect('http://broker.test', { timeoutSeconds: 0.05, fetch: () => new Promise(() => undefined) });
    await expect(broker.getToken('eu')).rejects.toThrow(/did not answer in time/);
  });

  it('ends with the signal, with its reason', async () => {
    const { url } = await serverOf(() => undefined);
    const reason = new Error('enough');
    const broker = connect(url, { timeoutSeconds: 0.2 });
    await expect(broker.getToken('eu', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    const ending = new AbortController();
    const waiting = broker.getToken('eu', { signal: ending.signal });
    ending.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });

  it.each([301, 302, 303, 307, 308])(
    'does not follow a redirect (%i), which would take the key along',
    async (status) => {
      const elsewhere = await serverOf(token);
      const { url, requests } = await serverOf((_, response) =>
        response.writeHead(status, { location: `${elsewhere.url}/v1/clients/eu/token` }).end(),
      );
      await expect(connect(url).getToken('eu')).rejects.toThrow(/redirects/);
      expect([requests.length, elsewhere.requests.length]).toEqual([1, 0]);
    },
  );

  it('carries what the function brings, which is asked each time', async () => {
    const { url, requests } = await serverOf(cut, token);
    let asked = 0;
    const broker = new TokenBroker({ url, token: async () => `jwt-${++asked}\n`, clock });
    await broker.getToken('eu');
    expect(requests.map(({ headers }) => headers.authorization)).toEqual(['Bearer jwt-1', 'Bearer jwt-2']);
  });

  it('keeps the path of the address, and names within their part of the path', async () => {
    const { url, requests } = await serverOf(token);
    const broker = connect(`${url}/gateway/`);
    await broker.getToken('a/../b?c#d');
    expect(requests[0]!.url).toBe('/gateway/v1/clients/a%2F..%2Fb%3Fc%23d/token');
  });
});

describe('the settings', () => {
  it.each([
    '',
    'broker',
    'ftp://broker',
    'https://user:secret@broker',
    'https://broker?x=1',
    'https://broker#x',
    undefined,
  ])('refuse %p as an address', (url) => {
    expect(() => connect(url as string)).toThrow(Misconfigured);
  });

  it('come from the environment, and a missing one is named', async () => {
    const { url } = await serverOf(token);
    const environment = { TOKEN_BROKER_URL: url, TOKEN_BROKER_KEY: 'tbk_key' };
    expect((await TokenBroker.fromEnv({ environment }).getToken('eu')).accessToken).toBe('t');
    for (const name of ['TOKEN_BROKER_URL', 'TOKEN_BROKER_KEY']) {
      expect(() => TokenBroker.fromEnv({ environment: { ...environment, [name]: ' ' } })).toThrow(name);
    }
  });

  it('need a key, or what brings one', () => {
    expect(() => new TokenBroker({ url: 'https://broker' } as never)).toThrow(Misconfigured);
    expect(() => new TokenBroker({ url: 'https://broker', key: '' })).toThrow(Misconfigured);
  });
});

describe('the key', () => {
  it('stands in no error, whatever it is, and whatever fetch or a broker say', async () => {
    const keys = fc.string({ unit: 'binary', minLength: 8, maxLength: 60 }).filter((key) => key.trim().length >= 8);
    const failures: ((key: string) => Promise<Response>)[] = [
      async (key) =>
        Promise.reject(Object.assign(new Error(`no: ${key}`), { config: { headers: { authorization: key } } })),
      async (key) => Promise.reject(new TypeError('fetch failed', { cause: new Error(`sent ${key}`) })),
      async (key) =>
        new Response(JSON.stringify({ code: 'not_found', detail: key, hint: key }), {
          ...{ status: 404, headers: { 'content-type': 'application/problem+json' } },
        }),
      async (key) => new Response(key, { status: 500 }),
      async (key) => new Response(key, { status: 200 }),
    ];
    await fc.assert(
      fc.asyncProperty(keys, fc.constantFrom(...failures), async (key, failing) => {
        const broker = connect('http://broker.test', { key, fetch: () => failing(key.trim()), timeoutSeconds: 0.05 });
        const error: unknown = await broker.getToken('eu').catch((reason: unknown) => reason);
        expect(error).toBeInstanceOf(Error);
        const all = inspect(error, { depth: 9, showHidden: true }) + String(error) + JSON.stringify(error);
        expect(all.includes(key.trim())).toBe(false);
      }),
    );
  });
});
