import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { type PrivateRedis, startRedis } from '../../../../test/harness/redis';
import { startWire, type Wire } from '../../../../test/harness/wire';
import { clientKeys } from './redis-keys';
import { RedisTokenStore } from './redis-token-store';
import { token } from './stores.fixture';
import type { News } from './token-store';

describe('tokens that are committed together', () => {
  let redis: PrivateRedis;
  let store: RedisTokenStore;
  beforeEach(async () => {
    redis = await startRedis();
    store = new RedisTokenStore(redis.url);
    await store.ready(5_000);
  });
  afterEach(async () => {
    await store.close();
    await redis.stop();
  });
  const claimed = async (...ids: string[]) => {
    await store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    return (await store.claimDue(64)).claims;
  };

  it('I1: live no longer for having waited, by the clock of Redis either', async () => {
    const claims = await claimed('a', 'b');
    const anHourAhead = Date.now() + 3_600_000;
    const commits = claims.map((claim) => store.commit(claim, token(anHourAhead)));
    for (const end = performance.now() + 400; performance.now() < end;); // this process does nothing else meanwhile
    await Promise.all(commits);
    const runways = await Promise.all(claims.map(async ({ clientId }) => (await store.read(clientId)).token!.runwayMs));
    expect(Math.min(...runways)).toBeLessThanOrEqual(270_000 - 400);
  });

  it('are all stored but for those that Redis has something against', async () => {
    const direct = new Redis(redis.url);
    const claims = await claimed('a', 'b', 'c', 'd');
    const { clientId, generation } = claims.at(-1)!;
    const key = clientKeys(clientId).client;
    await direct.set(key, 'no hash');
    direct.disconnect();
    const commits = await Promise.allSettled(claims.map((claim) => store.commit(claim, token(Date.now()))));
    const outcomes = commits.map((commit) =>
      commit.status === 'rejected' ? String(commit.reason) : commit.value.outcome,
    );
    expect(outcomes).toEqual(['stored', 'stored', 'stored', expect.stringContaining('WRONGTYPE')]);
    await expect(store.commit({ clientId, generation }, token(Date.now()))).rejects.toThrow('WRONGTYPE');
  });
});

it('says that Redis throws keys away though it did not tell when it was asked first', async () => {
  const redis = await startRedis();
  const direct = new Redis(redis.url);
  await direct.config('SET', 'maxmemory-policy', 'allkeys-lru');
  await direct.call('ACL', 'SETUSER', 'default', '-info');
  jest.spyOn(console, 'warn').mockReturnValueOnce(undefined).mockReturnValueOnce(undefined); // of the library
  const told: string[] = [];
  const store = new RedisTokenStore(redis.url, { onEvicting: (policy) => told.push(policy) });
  try {
    await store.ready(5_000);
    await delay(200);
    expect(told).toEqual([]);
    await direct.call('ACL', 'SETUSER', 'default', '+info');
    for (let i = 0; i < 100 && told.length === 0; i++) await delay(50);
    expect(told).toEqual(['allkeys-lru']);
  } finally {
    direct.disconnect();
    await store.close();
    await redis.stop();
  }
});

describe('the connections to Redis', () => {
  let redis: PrivateRedis;
  let wire: Wire;
  let store: RedisTokenStore;
  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    wire = await startWire(redis.url);
  });
  afterEach(async () => {
    await store.close();
    await wire.close();
  });
  afterAll(() => redis.stop());

  /** Looks until it holds, for ten seconds. */
  const holds = async (look: () => boolean | Promise<boolean>): Promise<boolean> => {
    for (let i = 0; i < 200; i++) {
      if (await look()) return true;
      await delay(50);
    }
    return false;
  };
  const answers = () =>
    store.read('c').then(
      () => true,
      () => false,
    );

  it('carry news again after they were lost, and say meanwhile that it does not arrive', async () => {
    store = new RedisTokenStore(wire.url);
    const heard: News[] = [];
    store.onNews((news) => heard.push(news));
    expect(await holds(() => store.newsArrives())).toBe(true);
    wire.cut();
    expect(await holds(() => !store.newsArrives())).toBe(true);
    wire.mend();
    expect(await holds(() => store.newsArrives())).toBe(true);
    expect(await holds(answers)).toBe(true);
    await store.remove('c');
    expect(await holds(() => heard.length === 1)).toBe(true);
  });

  it('are made once Redis is there, when it was not at the start', async () => {
    wire.cut();
    store = new RedisTokenStore(wire.url);
    expect(await store.ready(500)).toBe(false);
    expect(await answers()).toBe(false);
    wire.mend();
    expect(await holds(() => store.newsArrives())).toBe(true);
    expect(await holds(answers)).toBe(true);
  });

  it('are given up when they died in silence', async () => {
    store = new RedisTokenStore(wire.url);
    expect(await holds(() => store.newsArrives())).toBe(true);
    expect(await answers()).toBe(true);
    wire.hush();
    expect(await answers()).toBe(false);
    expect(await holds(answers)).toBe(true);
    // The connection for news, too: what is told is heard again.
    const heard: News[] = [];
    store.onNews((news) => heard.push(news));
    expect(await holds(() => store.remove('c').then(() => heard.length > 0))).toBe(true);
  });
});
