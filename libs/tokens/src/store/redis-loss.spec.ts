import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { type PrivateRedis, startRedis } from '../../../../test/harness/redis';
import { MemoryTokenStore } from './memory-token-store';
import { clientKeys, shardCount, shardOf } from './redis-keys';
import { RedisTokenStore } from './redis-token-store';
import { claimedOf, token } from './stores.fixture';
import type { Claim } from './token-store';

it('a queue in memory is lost from the start until it is whole', async () => {
  const store = new MemoryTokenStore();
  expect((await store.claimDue(64)).lost).toBe(true);
  await store.markWhole();
  expect((await store.claimDue(64)).lost).toBe(false);
});

describe('what Redis loses', () => {
  let server: PrivateRedis;
  let redis: Redis;
  let store: RedisTokenStore;
  let ids: string[];
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
    store = new RedisTokenStore(server.url);
    await store.ready(5_000);
  });
  beforeEach(async () => {
    await redis.flushall();
    ids = Array.from({ length: 200 }, () => randomUUID());
    await store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 60_000 })));
  });
  afterAll(async () => {
    await store.close();
    redis.disconnect();
    await server.stop();
  });
  const lost = async () => (await store.claimDue(4 * shardCount)).lost;
  const claimOf = (id: string, seen?: string): Promise<Claim> =>
    claimedOf({ store, advance: (ms) => (store.clockShiftMs += ms) }, id, seen);

  /** What scripts run while this is done, and how often. */
  const commandsOf = async (work: () => Promise<unknown>): Promise<string[]> => {
    await redis.config('RESETSTAT');
    await work();
    const stats = await redis.info('commandstats');
    const run = [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].map(([, name, calls]) => `${name} ${calls}`);
    return run.filter((entry) => !/^(evalsha|config|info)/.test(entry)).sort();
  };

  it('of the queue is noticed: all of it, or one shard', async () => {
    expect(await lost()).toBe(true);
    await store.markWhole();
    expect(await lost()).toBe(false);
    const shard = await redis.keys('tb1:{7}:*');
    await redis.del(shard);
    expect(await lost()).toBe(true);
    await store.markWhole();
    await redis.flushall();
    expect(await lost()).toBe(true);
  });

  it('of a shard is noticed though something is due there all the time', async () => {
    await store.markWhole();
    const id = ids[0]!;
    await redis.del(await redis.keys(`tb1:{${shardOf(id)}}:*`));
    await store.enqueue([{ clientId: id, secretVersion: 1, dueInMs: 0 }]);
    const { lost: noticed, claims } = await store.claimDue(shardCount);
    expect(claims.map(({ clientId }) => clientId)).toEqual([id]);
    expect(noticed).toBe(true);
  });

  it('I5: at most a second of it, or everything, lets no generation fall', async () => {
    const id = ids[0]!;
    const { client, generation } = clientKeys(id);
    const seen: number[] = [];
    const claims = async (): Promise<Claim> => {
      const claim = await claimOf(id);
      seen.push(Number(claim.generation));
      return claim;
    };
    await store.postpone(await claims(), 0);
    // A master that fails takes what it did not yet send to its replica with it.
    const before = await Promise.all([client, generation].map((key) => redis.dumpBuffer(key)));
    const late = await claims();
    await redis.restore(client, 0, before[0]!, 'REPLACE');
    await redis.restore(generation, 0, before[1]!, 'REPLACE');
    const heir = await claims();
    expect((await store.commit(late, token(Date.now()))).outcome).toBe('fenced');
    await store.postpone(heir, 0);
    // Its replica's clock may be behind; then the counter goes on.
    store.clockShiftMs -= 600_000;
    await store.postpone(await claims(), 0);
    store.clockShiftMs += 601_000;
    await redis.flushall();
    await claims();
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('of its scripts no caller notices', async () => {
    const id = ids[0]!;
    const steps: (() => Promise<unknown>)[] = [
      () => store.claimDue(64),
      async () => store.commit(await claimOf(id), token(Date.now())),
      async () => store.postpone(await claimOf(id, (await store.read(id)).token?.generation), 0),
      () => store.change(id, 2),
      () => store.asking({ clientId: id, generation: '1' }, 1),
      () => store.enqueue([{ clientId: id, secretVersion: 1, dueInMs: 0 }]),
      () => store.takePermits('bucket', 1, { requests: 1, perMs: 1_000 }),
      () => store.remove(id),
    ];
    for (const step of steps) {
      await redis.script('FLUSH');
      await step();
    }
    expect((await store.read(id)).token).toBeUndefined();
  });

  it('a renewal that goes well spends nothing on: trouble and history cost it no command', async () => {
    const id = ids[0]!;
    const { token: none } = await store.read(id);
    await store.commit(await claimOf(id, none?.generation), token(Date.now()));
    const claim = await claimOf(id, (await store.read(id)).token!.generation);
    const commit = () => store.commit(claim, token(Date.now(), { runwayMs: 400_000 }));
    expect(await commandsOf(commit)).toEqual(['hmget 1', 'hset 1', 'publish 1', 'set 1', 'time 1', 'zadd 1']);
  });

  it('is looked for with two commands for all clients of a shard, while none is missing and no secret is new', async () => {
    const again = () => store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    expect(await commandsOf(again)).toEqual(['hmget 16', 'zmscore 16']);
  });

  it('of a change is made good by the next reconciling, and so is what 0.1.0 removed', async () => {
    const id = ids[0]!;
    const { client, known } = clientKeys(id);
    const before = await Promise.all([client, known].map((key) => redis.dumpBuffer(key)));
    const enqueue = (secretVersion: number) => store.enqueue([{ clientId: id, secretVersion, dueInMs: 60_000 }]);
    const versions = async () => [await redis.hget(client, 'm'), await redis.hget(known, id)];
    await store.change(id, 2, 60_000);
    await enqueue(2);
    expect(await versions()).toEqual(['2', '2']);
    // A failover goes back to a moment before both.
    for (const [i, key] of [client, known].entries()) await redis.restore(key, 0, before[i]!, 'REPLACE');
    expect(await enqueue(2)).toBe(0);
    expect(await versions()).toEqual(['2', '2']);
    expect((await store.read(id)).dueInMs).toBeLessThanOrEqual(0);
    await redis.multi().zrem(clientKeys(id).due, id).del(client).exec();
    expect(await enqueue(2)).toBe(1);
    expect(await versions()).toEqual(['2', '2']);
    // The database went back to a backup, and 0.1.0 removed the client, as it is told to be.
    await redis.multi().zrem(clientKeys(id).due, id).del(client).exec();
    await store.change(id, 1, 60_000);
    await enqueue(1);
    expect(await enqueue(2)).toBe(0);
    expect(await versions()).toEqual(['2', '2']);
    expect((await store.read(id)).dueInMs).toBeLessThanOrEqual(0);
    await store.remove(id);
    expect(await versions()).toEqual([null, null]);
  });

  it('a client whose history is full is still small: its hash is compact', async () => {
    const id = ids[0]!;
    for (let i = 0; i < 61; i++) {
      const { token: seen } = await store.read(id);
      const over = { runwayMs: 270_000 + i * 1_000, providerRequestId: randomUUID(), durationMs: 8_000 };
      await store.commit(await claimOf(id, seen?.generation), token(Date.now(), over));
    }
    const { client } = clientKeys(id);
    expect(await redis.object('ENCODING', client)).toBe('listpack');
    expect(await redis.memory('USAGE', client)).toBeLessThanOrEqual(560);
    expect(await store.attempts(id)).toHaveLength(50);
  });
});
