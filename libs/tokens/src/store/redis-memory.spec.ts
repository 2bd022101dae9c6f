import { Redis } from 'ioredis';
import { type PrivateRedis, startRedis } from '../../../../test/harness/redis';
import { waitUntil } from '../../../../test/harness/redis-process';
import { RedisTokenStore } from './redis-token-store';
import { token } from './stores.fixture';

describe('a Redis without memory left', () => {
  let server: PrivateRedis;
  let redis: Redis;
  let store: RedisTokenStore | undefined;
  beforeAll(async () => {
    server = await startRedis();
    redis = new Redis(server.url);
  });
  afterEach(async () => {
    await redis.config('SET', 'maxmemory', '0', 'maxmemory-policy', 'noeviction');
    await store?.close();
  });
  afterAll(async () => {
    redis.disconnect();
    await server.stop();
  });

  it('is said to be full at every refusal and when it is asked, goes on being read, and is well again with room', async () => {
    const refusals: string[] = [];
    store = new RedisTokenStore(server.url, { onFull: ({ message }) => refusals.push(message) });
    await store.ready(5_000);
    const before = await redis.dbsize();
    expect(await store.ping()).toBe('ok');
    expect(await redis.dbsize()).toBe(before); // asking writes nothing
    await redis.config('SET', 'maxmemory', '1');
    expect(await store.ping()).toBe('out of memory');
    await expect(store.claimOne('c')).rejects.toThrow(/OOM/);
    await expect(store.read('c')).resolves.toMatchObject({ failures: 0 });
    expect(refusals).toHaveLength(2);
    await redis.config('SET', 'maxmemory', '0');
    expect(await store.ping()).toBe('ok');
  });

  it('is said to be full, too, where only some of what is stored together needs room', async () => {
    const refusals: string[] = [];
    store = new RedisTokenStore(server.url, { onFull: ({ message }) => refusals.push(message) });
    await store.ready(5_000);
    await store.enqueue(['a', 'b', 'c'].map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    const { claims } = await store.claimDue(64);
    const outdated = { ...claims[2]!, generation: '1' };
    await redis.config('SET', 'maxmemory', '1');
    const commits = [claims[0]!, claims[1]!, outdated].map((claim) => store!.commit(claim, token(Date.now())));
    const outcomes = (await Promise.allSettled(commits)).map(({ status }) => status);
    expect(outcomes).toEqual(['rejected', 'rejected', 'fulfilled']);
    expect(refusals).toEqual([expect.stringContaining('OOM'), expect.stringContaining('OOM')]);
  });

  it('is told of when it would throw away keys in place of refusing', async () => {
    await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
    const policies: string[] = [];
    store = new RedisTokenStore(server.url, { onEvicting: (policy) => policies.push(policy) });
    await waitUntil('it is told', async () => policies.length > 0);
    expect(policies).toEqual(['allkeys-lru']);
    await redis.config('SET', 'maxmemory-policy', 'noeviction');
    await store.close();
    store = new RedisTokenStore(server.url, { onEvicting: (policy) => policies.push(policy) });
    await store.ready(5_000);
    await store.ping();
    expect(policies).toHaveLength(1);
  });
});
