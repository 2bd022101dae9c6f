import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { systemClock } from './clock';
import { Misconfigured, OriginNotAllowed } from './errors';
import { FakeBroker } from './testing/fake-broker';

interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
}
type Answer = (seen: Seen, response: ServerResponse) => void;

const servers: Server[] = [];
/** A provider's API, over HTTP, that says what reached it. */
async function apiOf(answer: Answer): Promise<{ url: string; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += String(chunk);
    const { method = '', url = '', headers } = request;
    seen.push({ method, url, headers, body });
    answer(seen.at(-1)!, response);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen };
}
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

let fake: FakeBroker;
let eu: ReturnType<FakeBroker['client']>;
let broker: ReturnType<FakeBroker['connect']>;
beforeEach(() => {
  fake = new FakeBroker();
  eu = fake.client('eu', {
    headers: (t) => ({ 'X-Token': t, Accept: 'application/json', 'Content-Type': 'application/json', 'X-Store': '1' }),
  });
  broker = fake.connect();
});

const ok: Answer = (_, response) => response.end('fine');
/** 401 to every token but the present one that is not dead. */
const judging: Answer = ({ headers }, response) =>
  eu.accepts(
    new Headers({
      'x-token': String(headers['x-token']),
      accept: 'application/json',
      'content-type': 'application/json',
      'x-store': '1',
    }),
  )
    ? response.end('fine')
    : response.writeHead(401).end('dead');
const api = (origins: string[], more = {}) => broker.fetchFor('eu', { origins, fetch, ...more });

describe('a call of the API', () => {
  it('carries what the provider wants, be it given as text, URL, Request or path', async () => {
    const { url, seen } = await apiOf(ok);
    const call = api([url]);
    for (const target of [`${url}/a`, new URL('/a', url), new Request(`${url}/a`), '/a', 'a']) await call(target);
    expect(seen.map(({ url: path, headers }) => [path, headers['x-token']])).toEqual(
      Array.from({ length: 5 }, () => ['/a', 'token-1-of-eu']),
    );
  });

  it('keeps the headers of the caller, but for those that carry the token', async () => {
    const { url, seen } = await apiOf(ok);
    await api([url])('/a', { headers: { 'x-store': '2', 'x-token': 'mine', accept: 'text/csv' } });
    expect(seen[0]!.headers).toMatchObject({ 'x-store': '2', 'x-token': 'token-1-of-eu', accept: 'text/csv' });
  });

  it('says of a body what it is', async () => {
    const { url, seen } = await apiOf(ok);
    const call = api([url]);
    const form = new FormData();
    form.set('a', '1');
    const bodies = ['{}', new URLSearchParams({ a: '1' }), form, new Blob(['x'], { type: 'text/csv' })];
    for (const body of bodies) await call('/a', { method: 'POST', body });
    await call(new Request(`${url}/a`, { method: 'POST', body: 'x', headers: { 'content-type': 'text/x' } }));
    expect(seen.map(({ headers }) => headers['content-type']!.replace(/;.*/, ''))).toEqual([
      ...['application/json', 'application/x-www-form-urlencoded', 'multipart/form-data', 'text/csv', 'text/x'],
    ]);
  });

  it('carries query parameters and cookies of the provider beside those of the caller', async () => {
    const { url, seen } = await apiOf(ok);
    const served = { query: { session: 's 1' }, cookies: { sid: 'c' }, headers: { cookie: 'sid=c' } };
    const serving = fake.connect({
      fetch: async (...request) => {
        const response = await fake.fetch(...request);
        return Response.json({ ...((await response.json()) as object), ...served }, { headers: { etag: '"1"' } });
      },
    });
    const call = serving.fetchFor('eu', { origins: [url], fetch });
    await call('/a?b=1&session=mine', { headers: { cookie: 'own=1' } });
    expect([seen[0]!.url, seen[0]!.headers.cookie]).toEqual(['/a?b=1&session=s+1', 'own=1; sid=c']);
  });
});

describe('the token', () => {
  it('goes nowhere but to the origins named, however the address is written', async () => {
    const [mine, other] = [await apiOf(ok), await apiOf(ok)];
    const call = api([mine.url]);
    const { host } = new URL(other.url);
    const port = new URL(mine.url).port;
    const targets = [
      ...[other.url, `//${host}/a`, `\\\\${host}/a`, `/\\${host}/a`, ` ${other.url}`, `http:\\\\${host}`],
      ...[`http://127.0.0.1:${port}@${host}/`, `http://localhost:${port}/`, `https://127.0.0.1:${port}/`],
      ...['http://127.0.0.1/', `http://127.0.0.1:${port}.example.com/`, 'data:,x', 'file:///etc/passwd'],
    ];
    for (const target of targets) {
      await expect(call(target)).rejects.toThrow(/is not for|Invalid URL/);
      if (URL.canParse(target)) await expect(call(new URL(target))).rejects.toBeInstanceOf(OriginNotAllowed);
    }
    expect([mine.seen.length, other.seen.length, fake.requests.length]).toEqual([0, 0, 0]);
  });

  it.each([301, 302, 303, 307, 308])('is not taken elsewhere by a redirect (%i)', async (status) => {
    const elsewhere = await apiOf(ok);
    const { url } = await apiOf((_, response) => response.writeHead(status, { location: elsewhere.url }).end());
    await expect(api([url])('/a')).rejects.toBeInstanceOf(OriginNotAllowed);
    expect((await api([url])('/a', { redirect: 'manual' })).status).toBe(status);
    await expect(api([url])('/a', { redirect: 'error' })).rejects.toBeInstanceOf(TypeError);
    expect(elsewhere.seen).toEqual([]);
  });

  it('follows a redirect to an origin that is named, as fetch would', async () => {
    const second = await apiOf(ok);
    const first = await apiOf(({ url }, response) =>
      response.writeHead(url === '/see' ? 303 : 308, { location: `${second.url}/b` }).end(),
    );
    const call = api([first.url, second.url]);
    await call('/see', { method: 'POST', body: 'x' });
    await call('/moved', { method: 'POST', body: 'x' });
    expect(second.seen.map(({ method, body, headers }) => [method, body, headers['x-token']])).toEqual([
      ['GET', '', 'token-1-of-eu'],
      ['POST', 'x', 'token-1-of-eu'],
    ]);
  });

  it('goes round in no circle of redirects for ever', async () => {
    const { url, seen } = await apiOf((_, response) => response.writeHead(302, { location: '/again' }).end());
    await expect(api([url])('/a')).rejects.toBeInstanceOf(TypeError);
    expect(seen).toHaveLength(6);
  });

  it.each([
    [[]],
    [['*']],
    [['https://*.example.com']],
    [['https://api.example.com/path']],
    [['api.example.com']],
    [undefined],
  ])('is for no origins such as %p', (origins) => {
    expect(() => broker.fetchFor('eu', { origins: origins as string[] })).toThrow(Misconfigured);
  });
});

describe('a token that the API calls dead', () => {
  it('is reported, replaced, and the call sent once more', async () => {
    const { url, seen } = await apiOf(judging);
    await broker.getToken('eu');
    eu.killToken();
    const response = await api([url])('/a', { method: 'POST', body: '{"a":1}' });
    expect([response.status, await response.text()]).toEqual([200, 'fine']);
    expect(seen.map(({ body, headers }) => [body, headers['x-token']])).toEqual([
      ['{"a":1}', 'token-1-of-eu'],
      ['{"a":1}', 'token-2-of-eu'],
    ]);
    expect(eu.rejections).toEqual(['"1"']);
  });

  it('is reported once, however many calls it fails', async () => {
    const { url } = await apiOf(judging);
    await broker.getToken('eu');
    eu.killToken();
    const responses = await Promise.all(Array.from({ length: 30 }, () => api([url])('/a')));
    expect(new Set(responses.map(({ status }) => status))).toEqual(new Set([200]));
    expect(eu.rejections).toEqual(['"1"']);
  });

  it('is the end of it when the next one is called dead, too', async () => {
    const { url, seen } = await apiOf((_, response) => response.writeHead(498).end('dead'));
    expect(await (await api([url])('/a')).text()).toBe('dead');
    expect([seen.length, eu.rejections.length]).toEqual([2, 1]);
  });

  it('leaves the caller with the answer of the API where no other is to be had', async () => {
    const { url, seen } = await apiOf(judging);
    await broker.getToken('eu');
    eu.killToken();
    eu.fail();
    for (let calls = 0; calls < 3; calls++) expect(await (await api([url])('/a')).text()).toBe('dead');
    fake.goAway();
    fake.clock.advance(60);
    expect(await (await api([url])('/a')).text()).toBe('dead');
    expect([seen.length, eu.rejections.length]).toEqual([4, 1]);
  });

  it('is reported again where the broker may ask the provider in a moment only', async () => {
    const { url } = await apiOf(judging);
    let limited = 2;
    const busy = fake.connect({
      fetch: async (input, init) => {
        if (!String(input).endsWith('/rejections') || limited-- <= 0) return fake.fetch(input, init);
        return Response.json({ renewal: 'rate_limited', retry_after: 1 }, { status: 202 });
      },
    });
    await busy.getToken('eu');
    eu.killToken();
    expect((await busy.fetchFor('eu', { origins: [url], fetch })('/a')).status).toBe(200);
  });

  it('is replaced also where the broker lets nobody wait any more', async () => {
    const { url } = await apiOf(judging);
    const crowded = fake.connect({
      fetch: async (input, init) => {
        if (String(input).includes('wait=')) fake.answerNext({ code: 'too_many_waiting', retryAfterSeconds: 1 });
        if (!String(input).endsWith('/rejections')) return fake.fetch(input, init);
        setTimeout(() => eu.renew(), 30);
        return Response.json({ renewal: 'started' }, { status: 202 });
      },
      clock: { ...systemClock, now: () => fake.clock.now() },
    });
    await crowded.getToken('eu');
    eu.killToken();
    expect((await crowded.fetchFor('eu', { origins: [url], fetch })('/a')).status).toBe(200);
  });

  it('never has a stream sent twice: it is reported, for the next call', async () => {
    const { url, seen } = await apiOf(judging);
    const call = api([url]);
    const streams = [
      () => call('/a', { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as RequestInit),
      () => call(new Request(`${url}/a`, { method: 'POST', body: 'x' })),
    ];
    for (const send of streams) {
      await broker.getToken('eu');
      eu.killToken();
      const before = eu.etag;
      expect((await send()).status).toBe(401);
      while ((await broker.getToken('eu')).etag === before) await new Promise((resolve) => setTimeout(resolve, 5));
      expect((await call('/a')).status).toBe(200);
    }
    expect(seen.map(({ body }) => body)).toEqual(['x', '', 'x', '']);
  });

  it.each([
    ['text', () => 'x'],
    ['bytes', () => new TextEncoder().encode('x')],
    ['a buffer', () => new TextEncoder().encode('x').buffer],
    ['a blob', () => new Blob(['x'])],
  ])('has %s sent again', async (_, body) => {
    const { url, seen } = await apiOf(judging);
    await broker.getToken('eu');
    eu.killToken();
    await api([url])('/a', { method: 'PUT', body: body() as never });
    expect(seen.map((each) => each.body)).toEqual(['x', 'x']);
  });

  it('may be told by the body', async () => {
    const { url, seen } = await apiOf(({ headers }, response) =>
      response.end(JSON.stringify({ code: headers['x-token'] === 'token-1-of-eu' ? 401 : 200 })),
    );
    const isDead = async (response: Response) => ((await response.clone().json()) as { code: number }).code === 401;
    expect(await (await api([url], { isDead })('/a')).json()).toEqual({ code: 200 });
    expect(seen).toHaveLength(2);
  });

  it('is waited for from a broker that renews in its own time', async () => {
    const { url } = await apiOf(judging);
    const slow = fake.connect({
      fetch: async (input, init) => {
        if (!String(input).endsWith('/rejections')) return fake.fetch(input, init);
        setTimeout(() => eu.renew(), 30);
        return Response.json({ renewal: 'started' }, { status: 202 });
      },
    });
    await slow.getToken('eu');
    eu.killToken();
    expect((await slow.fetchFor('eu', { origins: [url], fetch })('/a')).status).toBe(200);
  });
});
