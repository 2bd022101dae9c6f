import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { once } from 'node:events';
import { Events, RenewalHours } from '#registry';
import { createLogger } from '../src/logger';
import { BreakerRecorder } from '../src/ops/breaker-recorder';
import { EventStream } from '../src/ops/event-stream';
import { HourRecorder } from '../src/ops/hour-recorder';
import { Problem } from '../src/problem';
import { cuttableDatabase } from './cuttable-database';
import { until } from './fleet';
import { listen } from './listening';

const database = cuttableDatabase();
const { sql } = database;

beforeEach(() => sql('TRUNCATE events, renewal_hours'));

describe('the recorder of hours', () => {
  const renewal = { clientId: 'c', provider: 'acme', generation: '1', runwayMs: 1 };

  it('writes one row for many renewals of a kind, and keeps them while the database is away', async () => {
    let now = Date.parse('2026-05-05T10:59:59Z');
    const recorder = new HourRecorder(new RenewalHours(database.db), () => now);
    for (let i = 1; i <= 500; i++) recorder.renewed({ ...renewal, durationMs: i, latenessMs: 500 - i });
    await recorder.flush();
    recorder.renewed({ ...renewal, durationMs: 1_000 });
    database.wire.cut();
    await expect(recorder.flush()).rejects.toThrow(/./);
    recorder.renewed({ ...renewal, durationMs: 10 });
    now += 1_000;
    recorder.renewed({ ...renewal, durationMs: 10 });
    database.wire.mend();
    await until(async () => recorder.flush().then(() => true, () => false), Boolean); // prettier-ignore
    await recorder.flush();
    const rows = await sql(
      `SELECT hour, count, duration_ms_sum::int, duration_ms_max, lateness_ms_max FROM renewal_hours ORDER BY 1`,
    );
    expect(rows).toEqual([
      {
        ...{ hour: new Date('2026-05-05T10:00:00Z'), count: 502, duration_ms_sum: 125_250 + 1_010 },
        ...{ duration_ms_max: 1_000, lateness_ms_max: 499 },
      },
      expect.objectContaining({ hour: new Date('2026-05-05T11:00:00Z'), count: 1 }),
    ]);
  });

  it('tells apart what came of each renewal, and why', async () => {
    const recorder = new HourRecorder(new RenewalHours(database.db));
    const event = { ...renewal, durationMs: 1 };
    const failure = { code: 'throttled', message: 'm', at: 0 };
    recorder.renewalFailed({ ...event, failure, nextAttemptInMs: 1 });
    for (const why of ['sticky', 'fenced', 'outdated'] as const) recorder.tokenDiscarded({ ...event, why });
    recorder.heldBack({ ...renewal, why: 'breaker_open', nextAttemptInMs: 1 });
    await recorder.flush();
    const rows = await sql('SELECT outcome, reason FROM renewal_hours ORDER BY 1, 2');
    expect(rows.map(({ outcome, reason }) => `${outcome} ${reason}`)).toEqual([
      ...['discarded fenced', 'discarded outdated', 'failed throttled', 'held_back breaker_open', 'kept '],
    ]);
  });

  it('takes no more memory than 10,000 rows however long the database is away', async () => {
    let now = 0;
    const kept: number[] = [];
    const full = new HourRecorder({ add: async (rows: unknown[]) => void kept.push(rows.length) } as never, () => now);
    for (; now < 20_000 * 3_600_000; now += 3_600_000) full.renewed({ ...renewal, durationMs: 1 });
    await full.flush();
    expect(kept).toEqual([10_000]);
  });
});

describe('the recorder of breakers', () => {
  it('writes that one has opened, and has closed, not each trial in between, and keeps it while the database is away', async () => {
    const recorder = new BreakerRecorder(new Events(database.db));
    const change = (state: 'open' | 'half_open' | 'closed') =>
      recorder.breakerChanged({ provider: 'acme', origin: 'https://a.example', state });
    change('open');
    database.wire.cut();
    await expect(recorder.flush()).rejects.toThrow(/./);
    database.wire.mend();
    await until(async () => recorder.flush().then(() => true, () => false), Boolean); // prettier-ignore
    for (const state of ['half_open', 'open', 'half_open', 'closed'] as const) {
      change(state);
      await recorder.flush();
    }
    const rows = await sql(`SELECT kind, provider, detail ->> 'state' AS state FROM events ORDER BY seq`);
    expect(rows.map(({ state }) => state)).toEqual(['open', 'closed']);
    expect(rows[0]).toMatchObject({ kind: 'provider.breaker_changed', provider: 'acme' });
  });
});

describe('the stream of events', () => {
  let server: Server;
  let stream: EventStream;
  let may: boolean;
  let asked: number;
  /** What was read for who brings the number 0 arrives only after this. */
  let held: Promise<void> | undefined;

  /** Without Fastify: a listener's request, its body, its end. */
  async function serve(limits: ConstructorParameters<typeof EventStream>[2] = {}): Promise<string> {
    const events = new Events(database.db);
    const list: Events['list'] = async (request) => {
      asked++;
      const page = await events.list(request);
      if (request.after === '0') await held;
      return page;
    };
    const counted = { newest: () => events.newest(), list };
    [may, asked, held] = [true, 0, undefined];
    stream = new EventStream(counted, createLogger('silent'), {
      pollMs: 20,
      beatMs: 50,
      ...limits,
    });
    server = createServer(async (request, response) => {
      const after = new URL(request.url!, 'http://x').searchParams.get('after');
      const mayListen = async () => may;
      await stream.listen(response, { mayListen, ...(after !== null && { after }) }).then(
        (body) => body.pipe(response),
        (error: unknown) => response.writeHead(error instanceof Problem ? 503 : 500).end(),
      );
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }
  afterEach(async () => {
    stream.beforeApplicationShutdown();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });

  const add = (rows: number, bytes = 1) =>
    sql(
      `INSERT INTO events (kind, detail) SELECT 'test', jsonb_build_object('x', repeat('x', ${bytes})) FROM generate_series(1, ${rows})`,
    );
  const all = async () => (await sql('SELECT seq FROM events ORDER BY seq')).map(({ seq }) => String(seq));

  it('tells each listener everything once, in order, though events come while it is told what was before', async () => {
    const url = await serve();
    await add(3_000);
    const writing = (async () => {
      for (let i = 0; i < 60; i++) await add(20);
    })();
    const listeners = [];
    for (let i = 0; i < 8; i++) {
      listeners.push(await listen(`${url}?after=0`));
      await add(1);
    }
    await writing;
    const expected = await all();
    for (const listener of listeners) {
      await listener.hears((heard) => heard.length >= expected.length);
      expect(listener.heard.map(({ id }) => id)).toEqual(expected);
      listener.leave();
    }
  }, 30_000);

  it('tells what was told to the others between the query for what was before and its answer', async () => {
    const url = await serve();
    await add(1);
    const first = await listen(url);
    let release = (): void => undefined;
    held = new Promise((resolve) => (release = resolve));
    const before = asked;
    const second = await listen(`${url}?after=0`);
    await until(async () => asked, (now) => now > before + 3); // prettier-ignore
    await add(1);
    await first.hears((heard) => heard.length === 1);
    release();
    const expected = await all();
    await second.hears((heard) => heard.length >= 2);
    expect(second.heard.map(({ id }) => id)).toEqual(expected);
    for (const { leave } of [first, second]) leave();
  });

  it('tells who brings no number what happens from now on', async () => {
    const url = await serve();
    await add(5);
    const listener = await listen(url);
    await add(1);
    await listener.hears((heard) => heard.length > 0);
    expect(listener.heard.map(({ id }) => id)).toEqual((await all()).slice(-1));
    const ahead = await listen(`${url}?after=999999999`);
    await add(1);
    await ahead.hears((heard) => heard.length > 0);
    for (const { leave } of [listener, ahead]) leave();
  });

  it('asks the database on behalf of all listeners at once, and not at all when there is none', async () => {
    const url = await serve({ pollMs: 100 });
    const listeners = await Promise.all(Array.from({ length: 20 }, () => listen(url)));
    const begun = Date.now();
    const before = asked;
    await listeners[0]!.hears(() => Date.now() - begun > 1_000);
    expect(asked - before).toBeLessThanOrEqual((Date.now() - begun) / 100 + 1); // and not 20 times that
    for (const { leave } of listeners) leave();
    await until(async () => asked, stands(5), 20_000);
    await add(1);
    const again = await listen(`${url}?after=0`);
    await again.hears((heard) => heard.length === 1);
    again.leave();
  }, 40_000);

  it('goes on where it was after the database was away, and sends signs of life meanwhile', async () => {
    const url = await serve();
    const listener = await listen(url);
    await add(1);
    await listener.hears((heard) => heard.length === 1);
    database.wire.cut();
    await add(2);
    const beats = () => listener.text().split(':\n\n').length;
    const so = beats();
    await listener.hears(() => beats() > so + 3);
    database.wire.mend();
    await listener.hears((heard) => heard.length === 3, 20_000);
    expect(listener.heard.map(({ id }) => id)).toEqual(await all());
    listener.leave();
  }, 40_000);

  it('takes so many listeners and no more, until one leaves', async () => {
    const url = await serve({ listeners: 2 });
    const [first] = await Promise.all([listen(url), listen(url)]);
    expect((await listen(url)).status).toBe(503);
    first.leave();
    await until(async () => (await listen(url)).status, (status) => status === 200); // prettier-ignore
  });

  it('refuses a listener while the database is away, and has not counted it', async () => {
    const url = await serve({ listeners: 1 });
    database.wire.cut();
    for (let i = 0; i < 3; i++) expect((await listen(url)).status).toBe(500);
    database.wire.mend();
    await until(async () => (await listen(url)).status, (status) => status === 200); // prettier-ignore
  });

  it('cuts off who takes nothing, while others hear all', async () => {
    const url = await serve();
    const { port } = new URL(url);
    const deaf = connect(Number(port), '127.0.0.1').on('error', () => undefined);
    deaf.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await once(deaf, 'readable');
    const closed = once(deaf, 'close');
    const listener = await listen(url);
    const connections = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
    expect(await connections()).toBe(2);
    await add(10_000, 2_000);
    await until(connections, (count) => count === 1, 20_000);
    await listener.hears((heard) => heard.length === 10_000, 20_000);
    deaf.resume();
    await closed;
    listener.leave();
  }, 60_000);

  it('ends when the key of a listener opens nothing any more, and when the process stops', async () => {
    const url = await serve();
    const first = await listen(url);
    may = false;
    await first.ended;
    may = true;
    const second = await listen(url);
    stream.beforeApplicationShutdown();
    await second.ended;
    expect((await listen(url)).status).toBe(503);
  });
});

/** That a number has not changed for so many looks. */
function stands(looks: number): (now: number) => boolean {
  let [last, times] = [-1, 0];
  return (now) => {
    times = now === last ? times + 1 : 0;
    last = now;
    return times >= looks;
  };
}
