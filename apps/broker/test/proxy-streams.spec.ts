import { readFileSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { until } from './fleet';
import { type ProxyRoom, startProxyRoom } from './proxy-room';

const large = 100 * 1024 * 1024;
const chunk = Buffer.alloc(64 * 1024, 'x');

describe('streams through the proxy', () => {
  let room: ProxyRoom;
  beforeAll(async () => {
    room = await startProxyRoom({
      ...{ PROXY_MAX_BODY_BYTES: String(large), PROXY_TIMEOUT_SECONDS: '3', PROXY_MAX_REQUESTS: '8' },
    });
    await room.call('/warm');
  });
  afterAll(() => room.close());

  const memory = (): number =>
    Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${room.fleet.brokers[0]!.pid}/status`, 'utf8'))![1]) * 1024;
  const open = (path: string, options: { method?: string; headers?: Record<string, string | number> } = {}) => {
    const { hostname: host, port } = new URL(room.fleet.brokers[0]!.url);
    const headers = { authorization: `Bearer ${room.key}`, ...options.headers };
    return request({ ...options, host, port, path: `/proxy/eu${path}`, agent: false, headers });
  };
  const endless = (bytes: number): Readable =>
    Readable.from(
      (function* () {
        for (let sent = 0; sent < bytes; sent += chunk.length) yield chunk;
      })(),
      { objectMode: false },
    );

  it('carry 100 MB both ways at once, and hold none of it', async () => {
    room.upstream = (asked, response) => asked.pipe(response);
    const before = memory();
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, memory())), 20);
    const sent = open('/x', { method: 'POST', headers: { 'content-length': large } });
    endless(large).pipe(sent);
    const [answer] = await once(sent, 'response');
    let bytes = 0;
    for await (const part of answer) bytes += (part as Buffer).length;
    clearInterval(watch);
    expect(bytes).toBe(large);
    expect(most - before).toBeLessThan(60 * 1024 * 1024);
  }, 60_000);

  it('go no faster than the caller takes them', async () => {
    let written = 0;
    room.upstream = (_asked, response) => {
      const source = endless(large);
      source.on('data', (part: Buffer) => (written += part.length));
      source.pipe(response);
    };
    const sent = open('/x');
    sent.end();
    const [answer] = await once(sent, 'response');
    answer.pause();
    let last = -1;
    await until(
      async () => {
        const moved = written !== last;
        last = written;
        await new Promise((resolve) => setTimeout(resolve, 200));
        return moved;
      },
      (moved) => !moved,
    );
    expect(written).toBeLessThan(40 * 1024 * 1024); // what sockets hold on their way
    answer.destroy();
  });

  it('reach the caller as they come, the head before any of the body', async () => {
    let finish = (): void => undefined;
    room.upstream = (_asked, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders();
      finish = () => response.end('data: 1\n\n');
    };
    const sent = open('/x');
    sent.end();
    const [answer] = await once(sent, 'response');
    expect(answer.statusCode).toBe(200);
    finish();
    let text = '';
    for await (const part of answer) text += String(part);
    expect(text).toBe('data: 1\n\n');
  });

  it('are broken off at the API when the caller goes', async () => {
    let closed = false;
    room.upstream = (_asked, response) => {
      response.on('close', () => (closed = true));
      response.write('begun');
    };
    const sent = open('/x');
    sent.end();
    const [answer] = await once(sent, 'response');
    answer.on('error', () => undefined);
    sent.destroy();
    await until(async () => closed, Boolean);
  });

  it('that break off at the API break off for the caller, and are not taken for whole', async () => {
    room.upstream = (_asked, response) => {
      response.write('half');
      setTimeout(() => response.destroy(), 50);
    };
    await expect(room.call('/x')).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    await expect(room.call('/x')).rejects.toThrow(/aborted|hang up|ECONNRESET/);
  });

  it('that never end are ended, and an API that does not answer is not waited for', async () => {
    room.upstream = (_asked, response) => {
      const drip = setInterval(() => response.write('x'), 100);
      response.on('close', () => clearInterval(drip));
    };
    await expect(room.call('/x')).rejects.toThrow(/aborted|hang up|ECONNRESET/);
    room.upstream = () => undefined;
    expect(await room.call('/x')).toMatchObject({ status: 504, json: { code: 'upstream_timeout' } });
  }, 20_000);

  it('that hang leave room for others, and cost the token route nothing', async () => {
    room.upstream = () => undefined;
    room.received.length = 0;
    const hanging = [room.call('/x'), room.call('/x')]; // a quarter of the places
    await until(
      async () => room.received.length,
      (calls) => calls >= 2,
    );
    const busy = await room.call('/x');
    expect(busy).toMatchObject({ status: 503, json: { code: 'proxy_busy' }, headers: { 'retry-after': '1' } });
    for (let i = 0; i < 20; i++) expect((await room.fleet.token('eu', room.key)).status).toBe(200);
    expect((await Promise.all(hanging)).map(({ status }) => status)).toEqual([504, 504]);
    room.upstream = (_asked, response) => response.end('ok');
    expect(await room.call('/x')).toMatchObject({ status: 200 });
  }, 20_000);
});
