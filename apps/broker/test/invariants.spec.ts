import { type Fleet, startFleet, until } from './fleet';
import { startWire, type Wire } from '../../../test/harness/wire';

const lifeSeconds = 6;
/** Of a life: renewal at 60 to 70 %, and up to half a second for the tick and a busy machine to see to it. */
const interval = { atLeastMs: 0.6 * lifeSeconds * 1_000, atMostMs: 0.7 * lifeSeconds * 1_000 + 1_000 };

interface Read {
  broker: number;
  status: number;
  token: string;
  generation: number;
  at: number;
}

/** Two readers that never rest, one at each replica, until told. */
function startReading(fleet: Fleet, client: string, key: string): { reads: Read[]; stop(): Promise<void> } {
  const reads: Read[] = [];
  let going = true;
  const reader = async (broker: number): Promise<void> => {
    while (going) {
      const answer = await fleet.token(client, key, { broker }).catch(() => undefined);
      const at = Date.now();
      if (answer) {
        const generation = Number(answer.headers.get('etag')?.slice(1, -1));
        reads.push({ broker, status: answer.status, token: answer.body.access_token, generation, at });
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const readers = [0, 1].map(reader);
  return {
    reads,
    stop: async () => {
      going = false;
      await Promise.all(readers);
    },
  };
}

describe('two replicas and a client whose token lives 6 s, for ten lifetimes, one replica killed in the middle', () => {
  let fleet: Fleet;
  let reads: Read[];
  let issuedAt: number[];
  let killedAt: number;
  let calls: { calls: number; issued: number };

  beforeAll(async () => {
    fleet = await startFleet(2, { LOG_LEVEL: 'info' });
    await fleet.register('eu', { ttlSeconds: lifeSeconds });
    const key = await fleet.service('reader', 'eu');
    const reading = startReading(fleet, 'eu', key);
    const served = async () => (await fleet.token('eu', key)).headers.get('etag');
    try {
      await new Promise((resolve) => setTimeout(resolve, 5 * lifeSeconds * 1_000));
      const before = await served();
      await until(served, (now) => now !== before); // a renewal was just committed, so that the kill interrupts none
      killedAt = Date.now();
      await fleet.brokers[1]!.kill('SIGKILL');
      await new Promise((resolve) => setTimeout(resolve, 5 * lifeSeconds * 1_000));
    } finally {
      await reading.stop();
    }
    reads = reading.reads;
    const log = await fleet.calls('eu');
    calls = log;
    issuedAt = log.recent_tokens.map((token) => token.issued_at).sort((a, b) => a - b);
  }, 120_000);
  afterAll(() => fleet.stop());

  it('I1: no reader ever received a dead token', async () => {
    const lastSeen = new Map<string, number>();
    for (const { status, token, at } of reads) if (status === 200) lastSeen.set(token, at);
    expect(lastSeen.size).toBeGreaterThanOrEqual(10);
    for (const [token, at] of lastSeen) {
      const judged = await fleet.control('POST', '/tokens/inspect', { token, at });
      expect(judged).toMatchObject({ known: true, alive: true });
    }
  });

  it('every read was answered with a token, before and after the kill', () => {
    const refused = reads.filter(({ status }) => status !== 200);
    expect(refused).toEqual([]);
    expect(reads.filter(({ broker, at }) => broker === 0 && at > killedAt).length).toBeGreaterThan(100);
    expect(reads.length).toBeGreaterThan(1_000);
  });

  it('I2: the provider was asked once per renewal interval, whatever the number of replicas and readers', () => {
    expect(calls.calls).toBe(calls.issued);
    const gaps = issuedAt.slice(1).map((at, i) => at - issuedAt[i]!);
    const seconds = (issuedAt.at(-1)! - issuedAt[0]!) / 1_000;
    expect(gaps.length).toBeLessThanOrEqual(Math.ceil((seconds * 1_000) / interval.atLeastMs));
    expect(Math.min(...gaps)).toBeGreaterThan(interval.atLeastMs / 2); // nowhere two calls where one was due
    expect(Math.max(...gaps)).toBeLessThanOrEqual(interval.atMostMs);
    expect(gaps.length).toBeGreaterThanOrEqual(10);
  });

  it('I5: what a replica serves never goes back to an earlier generation', () => {
    for (const broker of [0, 1]) {
      const generations = reads.filter((read) => read.broker === broker).map((read) => read.generation);
      expect(generations).toEqual([...generations].sort((a, b) => a - b));
    }
  });
});

describe('with parts missing', () => {
  let fleet: Fleet;
  let postgres: Wire;
  let key: string;
  const serves = async () => expect((await fleet.token('eu', key)).status).toBe(200);

  beforeAll(async () => {
    fleet = await startFleet(0);
    postgres = await startWire(fleet.database.url);
    await fleet.addBroker({ DATABASE_URL: postgres.url });
    await fleet.register('eu', { ttlSeconds: 60 });
    key = await fleet.service('reader', 'eu');
    await serves();
  });
  afterAll(async () => {
    await fleet.stop();
    await postgres.close();
  });

  it('I4: a worker killed in the middle of a renewal delays it by no more than its lease', async () => {
    const slow = await startFleet(1);
    try {
      await slow.register('slow', { verify: false, modes: { latency_ms: 30_000 } });
      await until(
        () => slow.calls('slow'),
        ({ calls }) => calls === 1,
      );
      const readers = await slow.service('reader', 'slow');
      await slow.brokers[0]!.kill('SIGKILL');
      const killedAt = Date.now();
      await slow.control('DELETE', '/clients/key-of-slow/modes');
      await slow.addBroker();
      await until(
        () => slow.token('slow', readers, { broker: 1 }),
        ({ status }) => status === 200,
        20_000,
      );
      expect(Date.now() - killedAt).toBeLessThan(17_000);
      expect((await slow.calls('slow')).calls).toBe(2);
    } finally {
      await slow.stop();
    }
  }, 60_000);

  it('I9: a good token is served while the database is away, and admins are told so', async () => {
    expect((await fleet.admin('GET', '/health/ready')).body.status).toBe('ready');
    postgres.cut();
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // what is known of the key is no longer fresh
    await serves();
    expect(await fleet.admin('GET', '/v1/clients')).toMatchObject({
      status: 503,
      body: { code: 'database_unavailable' },
    });
    // Still 200: every replica fares alike, and to take all of them out of the load would keep good tokens from everybody.
    const ready = await fleet.admin('GET', '/health/ready');
    const checks = { database: 'does not answer', token_store: 'ok', keys: 'ok' };
    expect(ready).toMatchObject({ status: 200, body: { status: 'degraded', checks } });
    expect((await fleet.admin('GET', '/health/live')).status).toBe(200);
  });

  it('renewals go on while the database is away', async () => {
    const before = await fleet.token('eu', key);
    const after = await fleet.token('eu', key, { query: `?min_ttl=${before.body.expires_in + 1}` });
    expect(after.body.access_token).not.toBe(before.body.access_token);
    postgres.mend();
    await until(
      () => fleet.admin('GET', '/health/ready'),
      ({ body }) => body.status === 'ready',
    );
  });

  it('I9: a good token is served while the provider is down', async () => {
    await fleet.control('PUT', '/clients/key-of-eu/modes', { outage: { status: 500 } });
    await until(
      () => fleet.token('eu', key),
      ({ body }) => body.expires_in < 46, // less than 90 % of the 53 s that are left of 60 where a JWT's exp is cut to seconds
    );
    const answer = await fleet.token('eu', key, { query: '?min_ttl=53' });
    expect(answer.status).toBe(200);
    expect(
      (
        await until(
          () => fleet.admin('GET', '/v1/clients/eu'),
          ({ body }) => body.condition === 'failing',
        )
      ).body,
    ).toMatchObject({
      last_failure: { code: 'provider_unavailable', provider_status: 500 },
      runway_seconds: expect.any(Number),
    });
    await fleet.control('DELETE', '/clients/key-of-eu/modes');
  });

  it('I9: a good token is served after Redis was killed, and the broker says that it is degraded', async () => {
    await serves();
    await fleet.redis.kill('SIGKILL');
    for (let i = 0; i < 5; i++) {
      await serves();
      await new Promise((resolve) => setTimeout(resolve, 400));
    }
    expect(await fleet.admin('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect((await fleet.admin('GET', '/v1/clients')).status).toBe(200);
  });
});
