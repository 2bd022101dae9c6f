import { connect } from 'node:net';
import { Client } from 'pg';
import { until } from './fleet';
import { type ProxyRoom, startProxyRoom, type Upstream } from './proxy-room';

const hang: Upstream = () => undefined;
const fine: Upstream = (request, response) => void request.resume().once('end', () => response.end('ok'));

describe('a call through the proxy', () => {
  let room: ProxyRoom;
  beforeAll(async () => void (room = await startProxyRoom()));
  afterAll(() => room.close());
  beforeEach(() => {
    room.received.length = 0;
    room.upstream = fine;
  });

  const head = (line: string, ...more: string[]) =>
    [`${line} HTTP/1.1`, 'Host: x', `Authorization: Bearer ${room.key}`, ...more, '', ''].join('\r\n');

  it('that was repeated and then got no answer is not told as one that did nothing', async () => {
    await room.call('/x');
    await new Promise((resolve) => setTimeout(resolve, 600)); // a token rests for half a second
    room.received.length = 0;
    room.upstream = (request, response) => {
      if (room.received.length === 1) return void response.writeHead(401).end('this token is dead');
      request.resume().once('end', () => request.socket.destroy());
    };
    const answer = await room.call('/orders', { method: 'POST', body: 'an order' });
    expect(room.received).toHaveLength(2);
    expect(answer).toMatchObject({ status: 502, json: { code: 'upstream_unreachable' } });
  });

  it('that offers HTTP/2 on the side, as some libraries do, is made over HTTP/1.1', async () => {
    const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAAAAIAAAAB' };
    expect(await room.call('/x', { headers })).toMatchObject({ status: 200, text: 'ok' });
    for (const name of ['upgrade', 'http2-settings']) expect(room.received[0]!.headers).not.toHaveProperty(name);
  });

  it.each(['102 Processing', '103 Early Hints\r\nLink: </x>'])(
    'that is first answered %j is answered by what follows',
    async (interim) => {
      room.upstream = (request, { socket }) =>
        void request.resume().once('end', () => {
          socket!.write(`HTTP/1.1 ${interim}\r\n\r\n`);
          setImmediate(() => socket!.end('HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok'));
        });
      expect(await room.call('/x', { method: 'POST', body: 'an order' })).toMatchObject({ status: 201, text: 'ok' });
    },
  );

  it('has its headers passed on byte for byte, both ways', async () => {
    const bytes = Buffer.from('café').toString('latin1');
    room.upstream = (request) =>
      void request.socket.end(
        `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Name: ${request.headers['x-name'] as string}\r\n\r\n`,
        'latin1',
      );
    const answer = await room.raw(head('GET /proxy/eu/x', `X-Name: ${bytes}`, 'Connection: close'));
    expect(answer).toContain(`\r\nX-Name: ${bytes}\r\n`);
  });

  it('that is answered before all of it was sent is not in the way of the next on its connection', async () => {
    room.upstream = (_request, response) => void response.writeHead(409).end();
    const { hostname, port } = new URL(room.fleet.brokers[0]!.url);
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.setEncoding('latin1').on('data', (more) => (text += more));
    socket.write(head('POST /proxy/eu/x', 'Content-Length: 8000000'));
    socket.write(Buffer.alloc(200_000));
    await until(
      async () => text,
      (all) => all.includes('409 '),
    );
    socket.write(Buffer.alloc(7_800_000));
    room.upstream = fine;
    socket.write(head('GET /proxy/eu/y', 'Connection: close'));
    await until(
      async () => text,
      (all) => all.includes('200 OK'),
    );
    socket.destroy();
  });

  it('is not made when its caller has gone before it was known who that is', async () => {
    const key = await room.fleet.service('hasty', 'eu');
    const db = new Client({ connectionString: room.fleet.database.url });
    await db.connect();
    try {
      await db.query('BEGIN; LOCK TABLE keys IN ACCESS EXCLUSIVE MODE');
      const { hostname, port } = new URL(room.fleet.brokers[0]!.url);
      const socket = connect(Number(port), hostname);
      socket.write(head('POST /proxy/eu/x', 'Content-Length: 0').replace(room.key, key));
      const waiting = `SELECT count(*)::int AS n FROM pg_locks WHERE NOT granted AND relation = 'keys'::regclass`;
      await until(
        async () => (await db.query(waiting)).rows[0].n,
        (n) => n > 0,
      );
      socket.destroy();
      await room.call('/the-broker-has-heard-of-it');
      await db.query('COMMIT');
      expect(await room.call('/y', { key })).toMatchObject({ status: 200 });
      expect(room.received.map(({ url }) => url)).not.toContainEqual(expect.stringContaining('/x'));
    } finally {
      await db.end();
    }
  });

  it('does not wait for those of another client whose API is the same', async () => {
    room.upstream = hang;
    const held = Array.from({ length: 64 }, () => room.call('/hang').catch(() => undefined));
    await until(
      async () => room.received.length,
      (calls) => calls === 64,
    );
    room.upstream = fine;
    const late = new Promise((resolve) => setTimeout(resolve, 3_000, 'late'));
    const answer = await Promise.race([room.call('/x', { client: 'off' }).catch(() => undefined), late]);
    for (const { socket } of room.received) socket.destroy();
    await Promise.all(held);
    expect(answer).toMatchObject({ status: 200 });
  });

  it('ends before the broker does', async () => {
    let answer = (): void => undefined;
    room.upstream = (_request, response) => void (answer = () => void response.end('done'));
    const called = room.call('/x', { method: 'POST', body: 'an order' });
    await until(async () => room.received.length, Boolean);
    const ended = room.fleet.brokers[0]!.kill('SIGTERM');
    setTimeout(() => answer(), 2_000);
    expect(await called).toMatchObject({ status: 200, text: 'done' });
    expect(await ended).toBe(0);
  });
});

describe('a call whose body does not come', () => {
  it('gives its place back when its time is over', async () => {
    const room = await startProxyRoom({ PROXY_TIMEOUT_SECONDS: '1' });
    try {
      const text = `POST /proxy/eu/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${room.key}\r\nContent-Length: 10\r\n\r\nabc`;
      const answer = await room.raw(text);
      expect(answer).toMatch(/^HTTP\/1.1 400 /);
      expect(answer).toContain('did not come in time');
      expect(room.received).toEqual([]);
    } finally {
      await room.close();
    }
  });
});
