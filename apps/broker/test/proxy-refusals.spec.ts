import { until } from './fleet';
import { type ProxyRoom, startProxyRoom } from './proxy-room';

describe('the proxy refuses, and reaches no API,', () => {
  let room: ProxyRoom;
  beforeAll(async () => {
    room = await startProxyRoom({ PROXY_MAX_BODY_BYTES: '100000' });
  });
  afterAll(() => room.close());
  beforeEach(() => {
    room.received.length = 0;
  });
  afterEach(() => expect(room.received).toEqual([]));

  it.each([
    '/../token',
    '/%2e%2e/token',
    '/a/..%2ftoken',
    '/a\\b',
    '/%5c',
    '/%00',
    '/./x',
    '/..;/token',
    '/..%20/token',
  ])('the path %s', async (path) => {
    const answer = await room.call(path);
    expect(answer).toMatchObject({ status: 400, json: { code: 'request_not_forwarded' } });
    expect(answer.headers['tokenbroker-origin']).toBe('broker');
  });

  it('targets in absolute form, whatever host they or the header name', async () => {
    for (const target of [`${room.origin}/proxy/eu/x`, 'http://evil.example/proxy/eu/x', '/%70roxy/eu/x']) {
      const text = `GET ${target} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer ${room.key}\r\nConnection: close\r\n\r\n`;
      expect(await room.raw(text)).toMatch(/^HTTP\/1.1 40[04] /);
    }
  });

  it('upgrades, TRACE and CONNECT', async () => {
    const upgrade = {
      connection: 'upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'x',
      'sec-websocket-version': '13',
    };
    expect(await room.call('/x', { headers: upgrade })).toMatchObject({
      status: 501,
      json: { code: 'upgrade_not_supported' },
    });
    expect(await room.call('/x', { method: 'TRACE' })).toMatchObject({
      status: 405,
      json: { code: 'method_not_allowed' },
    });
    const connect = `CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${room.key}\r\n\r\n`;
    expect(await room.raw(connect)).not.toMatch(/^HTTP\/1.1 2/);
  });

  it('a body that is chunked and has a length', async () => {
    const head = `POST /proxy/eu/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${room.key}\r\n`;
    const text = `${head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /proxy/eu/smuggled HTTP/1.1\r\n\r\n`;
    expect(await room.raw(text)).toMatch(/^HTTP\/1.1 400 /);
  });

  it('who may not have the token', async () => {
    expect(await room.call('/x', { key: 'none' })).toMatchObject({ status: 401, json: { code: 'unauthenticated' } });
    expect(await room.call('/x', { client: 'other' })).toMatchObject({ status: 404, json: { code: 'not_found' } });
    expect(await room.call('/x', { client: 'nobody' })).toMatchObject({ status: 404 });
    expect(await room.call('/x', { client: '..' })).toMatchObject({ status: 404 });
    const key = room.fleet.env['BOOTSTRAP_ADMIN_KEY']!;
    expect(await room.call('/x', { key })).toMatchObject({ status: 403, json: { code: 'forbidden' } });
    await room.fleet.admin('POST', '/v1/clients/off/disable');
    await until(
      () => room.call('/x', { client: 'off' }),
      ({ status }) => status === 409,
    );
  });

  it('a client whose API is not known, with a hint', async () => {
    const answer = await room.call('/x', { client: 'lost' });
    expect(answer).toMatchObject({
      status: 409,
      json: { code: 'api_unknown', hint: expect.stringContaining('provider_version') },
    });
  });

  it('a body that says that it is too long, before it is sent', async () => {
    const head = `POST /proxy/eu/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${room.key}\r\n`;
    const answer = await room.raw(`${head}Content-Length: 104857600\r\n\r\nthe first bytes`);
    expect(answer).toMatch(/^HTTP\/1.1 413 /);
    expect(answer).toContain('"code":"body_too_large"');
    expect(answer).toContain('PROXY_MAX_BODY_BYTES');
  });
});

describe('the proxy', () => {
  it('breaks off a body that turns out to be too long, and the API gets no end of it', async () => {
    const room = await startProxyRoom({ PROXY_MAX_BODY_BYTES: '100000' });
    try {
      let whole = false;
      room.upstream = (request, response) => {
        request.on('error', () => undefined).on('end', () => (whole = true));
        request.resume().once('end', () => response.end());
      };
      const answer = await room.call('/x', {
        method: 'POST',
        body: Buffer.alloc(200_000),
        headers: { 'transfer-encoding': 'chunked' },
      });
      expect(answer).toMatchObject({ status: 413, json: { code: 'body_too_large' } });
      expect(whole).toBe(false);
    } finally {
      await room.close();
    }
  });
});
