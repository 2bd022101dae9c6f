import { gunzipSync, gzipSync } from 'node:zlib';
import { until } from './fleet';
import { type ProxyRoom, startProxyRoom, type Upstream } from './proxy-room';

describe('ANY /proxy/{name}/{path…}', () => {
  let room: ProxyRoom;
  beforeAll(async () => {
    room = await startProxyRoom();
  });
  afterAll(() => room.close());
  beforeEach(() => {
    room.received.length = 0;
  });
  const echo: Upstream = (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => response.writeHead(200, { 'x-method': request.method }).end(Buffer.concat(chunks)));
  };
  const json =
    (status: number, body: object): Upstream =>
    (request, response) => {
      request.resume();
      request.on('end', () =>
        response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body)),
      );
    };
  const isToken = (request: { headers: Record<string, unknown> }, n: number) =>
    request.headers['authorization'] === `Bearer token-${n}`;
  const current = async () =>
    Number(/token-(\d+)/.exec((await room.fleet.token('eu', room.key)).body.access_token)![1]);

  it('reaches the API with the token, the path below its base and the query as it came', async () => {
    room.upstream = (_request, response) =>
      response.writeHead(203, { 'x-its': 'own', location: 'https://x.example/' }).end('hi');
    const answer = await room.call('/customers/7%20a/?b=%2B&a=1;2');
    expect(answer).toMatchObject({ status: 203, text: 'hi' });
    expect(answer.headers).toMatchObject({
      'x-its': 'own',
      'tokenbroker-origin': 'upstream',
      location: 'https://x.example/',
    });
    expect(answer.headers['via']).toBe('1.1 token-broker');
    expect(answer.headers['x-request-id']).toBeDefined();
    const [asked] = room.received;
    expect(asked!.url).toBe('/api/v1/customers/7%20a/?b=%2B&a=1;2&app=token-broker');
    expect(asked!.headers.host).toBe(new URL(room.origin).host);
    expect(asked!.headers.authorization).toMatch(/^Bearer token-\d+$/);
    expect(JSON.stringify(asked!.rawHeaders)).not.toContain('tbk_');
  });

  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND', 'REPORT', 'SEARCH'])(
    'passes on %s',
    async (method) => {
      room.upstream = echo;
      const body = method === 'GET' ? undefined : '<any/>';
      const answer = await room.call('/x', {
        method,
        ...(body && { body, headers: { 'content-type': 'text/odd; q="1"', 'content-length': '6' } }),
      });
      expect([answer.status, answer.headers['x-method'], answer.text]).toEqual([200, method, body ?? '']);
      expect(room.received[0]!.headers['content-type']).toBe(body && 'text/odd; q="1"');
    },
  );

  it('passes on HEAD, 204, 304 and several headers of one name as they are', async () => {
    room.upstream = (_request, response) => response.writeHead(200, { 'content-length': '7' }).end();
    expect(await room.call('/x', { method: 'HEAD' })).toMatchObject({
      status: 200,
      text: '',
      headers: { 'content-length': '7' },
    });
    for (const status of [204, 304]) {
      room.upstream = (_request, response) => response.writeHead(status, { etag: '"1"' }).end();
      expect(await room.call('/x')).toMatchObject({ status, text: '', headers: { etag: '"1"' } });
    }
    room.upstream = (_request, response) => response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end();
    expect((await room.call('/x')).headers['set-cookie']).toEqual(['a=1', 'b=2']);
  });

  it('lets a call bring the headers that the definition names, and no other', async () => {
    await room.call('/x', { headers: { 'X-Unit': 'till-7' } });
    await room.call('/x');
    expect(room.received.map(({ headers }) => headers['x-unit'])).toEqual(['till-7', 'head-office']);
  });

  it('passes on what is compressed as it is, and asks for no compression of its own', async () => {
    const zipped = gzipSync('{"a":1}');
    room.upstream = (_request, response) =>
      response
        .writeHead(200, { 'content-type': 'text/plain', 'content-encoding': 'gzip', 'content-length': zipped.length })
        .end(zipped);
    const answer = await fetch(`${room.fleet.brokers[0]!.url}/proxy/eu/x`, {
      headers: { authorization: `Bearer ${room.key}` },
    });
    expect(await answer.text()).toBe('{"a":1}');
    await room.call('/x');
    expect(room.received[1]!.headers['accept-encoding']).toBeUndefined();
    expect(gunzipSync(zipped).toString()).toBe('{"a":1}');
  });

  describe('when the API says that the token is dead', () => {
    /** Renewals are forced every 30 s at most: each case has a client of its own. */
    let number = 0;
    const fresh = async (): Promise<string> => {
      const name = `fresh-${++number}`;
      const inputs = { base_url: room.origin, secret: 's' };
      await room.fleet.admin('POST', '/v1/clients', { name, provider: 'acme', inputs });
      await room.fleet.admin('POST', '/v1/grants', { service: 'shop', client: name });
      await new Promise((resolve) => setTimeout(resolve, 600)); // a token rests for half a second
      await until(
        () => room.fleet.token(name, room.key),
        ({ status }) => status === 200,
      );
      return name;
    };
    /** Dead is the first token that comes. */
    const refusing = (refusal: Upstream, more: Upstream = echo): Upstream => {
      let dead: string | undefined;
      return (request, response) => {
        dead ??= request.headers.authorization;
        return request.headers.authorization === dead ? refusal(request, response) : more(request, response);
      };
    };

    it.each([
      ['by status', json(401, { error: 'dead' })],
      ['by the body of a success', json(200, { status: { code: '498' } })],
      [
        'by a body that is compressed',
        ((_request, response) =>
          response
            .writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' })
            .end(gzipSync('{"status":{"code":401}}'))) as Upstream,
      ],
    ])('%s, repeats the call once with the next one', async (_, refusal) => {
      const client = await fresh();
      room.upstream = refusing(refusal);
      const before = room.issued;
      const answer = await room.call('/x', {
        client,
        method: 'POST',
        body: 'an order',
        headers: { 'content-type': 'text/plain' },
      });
      expect([answer.status, answer.text]).toEqual([200, 'an order']);
      expect(room.received).toHaveLength(2);
      expect(room.issued).toBe(before + 1);
      expect(room.received.map(({ headers }) => headers['content-length'])).toEqual(['8', '8']);
    });

    it('asks the provider once for any number of calls', async () => {
      const client = await fresh();
      room.upstream = refusing(json(401, {}));
      const before = room.issued;
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => room.call('/x', { client, method: 'POST', body: 'b' })),
      );
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
      expect(room.issued).toBe(before + 1);
    });

    it('and says so of the next one too, passes that answer on, and asks for no third', async () => {
      const client = await fresh();
      room.upstream = json(401, { error: 'whatever you send' });
      const before = room.issued;
      expect(await room.call('/x', { client })).toMatchObject({ status: 401, json: { error: 'whatever you send' } });
      expect(room.received).toHaveLength(2);
      expect(await room.call('/x', { client })).toMatchObject({ status: 401 });
      expect(room.issued).toBe(before + 1);
    });

    it('of a call that cannot be repeated, passes its answer on and has the token replaced', async () => {
      const client = await fresh();
      room.upstream = refusing(json(498, { error: 'dead' }));
      const before = room.issued;
      const body = Buffer.alloc(200_000, 'x');
      expect(await room.call('/x', { client, method: 'PUT', body })).toMatchObject({
        status: 498,
        json: { error: 'dead' },
      });
      expect(room.received).toHaveLength(1);
      await until(
        async () => room.issued,
        (issued) => issued === before + 1,
      );
      expect(
        (
          await until(
            () => room.call('/x', { client, method: 'PUT', body }),
            ({ status }) => status === 200,
          )
        ).text,
      ).toHaveLength(200_000);
    });

    it('is not taken from an answer that is longer, or that is no text', async () => {
      const padding = 'x'.repeat(70_000);
      room.upstream = json(200, { status: { code: 401 }, padding });
      expect((await room.call('/x')).json.padding).toBe(padding);
      room.upstream = (_request, response) =>
        response.writeHead(200, { 'content-type': 'application/octet-stream' }).end('{"status":{"code":401}}');
      expect((await room.call('/x')).text).toBe('{"status":{"code":401}}');
      expect(room.received).toHaveLength(2);
    });

    it('in an answer that comes slowly, is not waited for', async () => {
      room.upstream = (_request, response) => {
        response.writeHead(200, { 'content-type': 'application/json' });
        response.write('{"a":');
        setTimeout(() => response.end('1}'), 2_500);
      };
      expect((await room.call('/x')).json).toEqual({ a: 1 });
    });
  });

  it('follows no redirect', async () => {
    room.upstream = (_request, response) => response.writeHead(307, { location: '/token' }).end();
    expect(await room.call('/x', { method: 'POST', body: 'b' })).toMatchObject({
      status: 307,
      headers: { location: '/token' },
    });
    expect(room.received).toHaveLength(1);
  });

  it('says that no answer came, and whose fault it is', async () => {
    room.upstream = (request) => request.socket.destroy();
    const answer = await room.call('/x');
    expect(answer).toMatchObject({ status: 502, json: { code: 'upstream_unreachable' } });
    expect(answer.headers['tokenbroker-origin']).toBe('broker');
    const metrics = await (await fetch(`${room.fleet.brokers[0]!.url}/metrics`)).text();
    expect(metrics).toMatch(/proxy_duration_seconds_count\{provider="acme",status_class="unreachable"\} 1/);
    expect(metrics).toMatch(/proxy_duration_seconds_count\{provider="acme",status_class="2xx"\} [1-9]/);
  });

  it('never shows a token to the caller that the API does not show itself', async () => {
    room.upstream = json(200, { fine: true });
    const answer = await room.call('/x');
    expect(`${answer.text}${answer.rawHeaders.join()}`).not.toContain('token-1');
    expect(isToken(room.received[0]!, await current())).toBe(true);
  });
});
