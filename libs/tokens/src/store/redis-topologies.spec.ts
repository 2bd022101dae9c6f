import { setTimeout as delay } from 'node:timers/promises';
import { type RedisCluster, startRedisCluster } from '../../../../test/harness/redis-cluster';
import { command, type PrivateRedis } from '../../../../test/harness/redis-process';
import { type RedisSentinel, startRedisSentinel } from '../../../../test/harness/redis-sentinel';
import { clientKeys, shardCount, shardKeys, shardOf } from './redis-keys';
import { RedisTokenStore } from './redis-token-store';
import type { News, TokenStore } from './token-store';

/** What a caller may have to wait for an answer, or for the word that there is none, on a machine that has other work. */
const patienceMs = 1_500;
const backWithinMs = 5_000;

/** Calls that go on all the time, one after the other, and how each of them ended. */
class Calls {
  readonly ended: { at: number; tookMs: number; ok: boolean; error?: string }[] = [];
  #going = true;
  readonly #done: Promise<void>;

  constructor(call: () => Promise<unknown>) {
    this.#done = this.#run(call);
  }

  async #run(call: () => Promise<unknown>): Promise<void> {
    while (this.#going) {
      const started = performance.now();
      const error = await call().then(
        () => undefined,
        (failure: Error) => failure.message,
      );
      const tookMs = performance.now() - started;
      this.ended.push({ at: Date.now(), tookMs, ok: error === undefined, ...(error !== undefined && { error }) });
      await delay(10);
    }
  }

  /** When the first call succeeded after this moment, and none failed any more. */
  wellSince(moment: number): number {
    const lastFailure = this.ended.filter(({ ok, at }) => !ok && at > moment).at(-1)?.at ?? moment;
    return this.ended.find(({ ok, at }) => ok && at > lastFailure)?.at ?? Infinity;
  }

  get slowestMs(): number {
    return Math.max(...this.ended.map(({ tookMs }) => tookMs));
  }

  async stop(): Promise<void> {
    this.#going = false;
    await this.#done;
  }
}

async function holds(look: () => boolean | Promise<boolean>, withinMs = 10_000): Promise<boolean> {
  for (const until = Date.now() + withinMs; Date.now() < until; await delay(20)) if (await look()) return true;
  return false;
}

const write = (store: TokenStore, clientId: string) => store.change(clientId, 1);

describe('the store on Sentinels', () => {
  let trio: RedisSentinel;
  let store: RedisTokenStore;
  beforeEach(async () => {
    trio = await startRedisSentinel();
    store = new RedisTokenStore(trio.url);
    await store.ready(5_000);
  });
  afterEach(async () => {
    await store.close();
    await trio.stop();
  });

  it('leaves a master that hangs for the one that takes its place, news included, and keeps no caller waiting', async () => {
    expect(await holds(() => store.newsArrives())).toBe(true);
    const calls = new Calls(() => write(store, 'c'));
    const old = await trio.master();
    await old.kill('SIGSTOP');
    expect(await holds(() => !store.newsArrives())).toBe(true);
    await trio.newMasterFor(old);
    const promoted = Date.now();
    expect(await holds(() => store.newsArrives(), backWithinMs)).toBe(true);
    await delay(1_000);
    await calls.stop();
    expect(calls.wellSince(promoted) - promoted).toBeLessThan(backWithinMs);
    expect(calls.slowestMs).toBeLessThan(patienceMs);
    const heard: News[] = [];
    store.onNews((news) => heard.push(news));
    await write(store, 'd');
    expect(await holds(() => heard.length > 0)).toBe(true);
    await old.kill('SIGCONT');
  });

  it('leaves a master that still answers but was replaced', async () => {
    const old = await trio.master();
    const calls = new Calls(() => write(store, 'c'));
    await command(trio.sentinels[0]!.port, 'SENTINEL', 'FAILOVER', 'mymaster');
    const next = await trio.newMasterFor(old);
    const { due } = clientKeys('only-there');
    const there = async () => {
      await store.enqueue([{ clientId: 'only-there', secretVersion: 1, dueInMs: 0 }]).catch(() => undefined);
      return (await command(next.port, 'ZSCORE', due, 'only-there')) !== null;
    };
    expect(await holds(there, backWithinMs)).toBe(true);
    expect(await holds(() => store.newsArrives(), backWithinMs)).toBe(true);
    await calls.stop();
  });
});

describe('the store on a cluster', () => {
  let cluster: RedisCluster;
  let store: RedisTokenStore;
  beforeAll(async () => {
    cluster = await startRedisCluster({ replicas: true });
    store = new RedisTokenStore(cluster.url);
    await store.ready(5_000);
  });
  afterAll(async () => {
    await store.close();
    await cluster.stop();
  });

  /** The node that the store listens to. */
  const heardNode = async (): Promise<PrivateRedis> => {
    for (const node of cluster.nodes) {
      const clients = await command<string>(node.port, 'CLIENT', 'LIST', 'TYPE', 'pubsub').catch(() => '');
      if (clients.includes('sub=1')) return node;
    }
    throw new Error('the store listens nowhere');
  };
  const of = (shard: number) => {
    for (let i = 0; ; i++) if (shardOf(`client-${i}`) === shard) return `client-${i}`;
  };

  it('answers for every shard, and hears of each on whatever node it listens', async () => {
    expect(await holds(() => store.newsArrives())).toBe(true);
    const heard = new Set<string>();
    store.onNews(({ clientId }) => heard.add(clientId));
    const clients = Array.from({ length: shardCount }, (_, shard) => of(shard));
    await Promise.all(clients.map((id) => write(store, id)));
    expect(await holds(() => clients.every((id) => heard.has(id)))).toBe(true);
    expect(await store.ping()).toBe('ok');
    const owners = await Promise.all(clients.map((id) => cluster.masterOf(clientKeys(id).due)));
    expect(new Set(owners).size).toBe(3);
  });

  it('hears again from another node when the one it listened to hangs', async () => {
    const hung = await heardNode();
    await hung.kill('SIGSTOP');
    try {
      expect(await holds(() => !store.newsArrives())).toBe(true);
      expect(await holds(() => store.newsArrives())).toBe(true);
      expect(await heardNode()).not.toBe(hung);
    } finally {
      await hung.kill('SIGCONT');
      await cluster.whole();
    }
  });

  it('says that not all is well while a master is gone, keeps no caller waiting, and works with the next one', async () => {
    const old = await cluster.masterOf(shardKeys(0).due);
    const calls = Array.from({ length: shardCount }, (_, shard) => new Calls(() => write(store, of(shard))));
    await store.enqueue(calls.map((_, shard) => ({ clientId: `due-${of(shard)}`, secretVersion: 1, dueInMs: 0 })));
    await old.kill();
    const claimed = store.claimDue(64);
    expect(await store.ping()).not.toBe('ok');
    // What the others gave is in nobody else's hands for the length of a lease.
    expect((await claimed).claims.length).toBeGreaterThan(0);
    await cluster.newMasterFor(old, shardKeys(0).due);
    const promoted = Date.now();
    expect(await holds(async () => (await store.ping()) === 'ok', backWithinMs)).toBe(true);
    await delay(500);
    await Promise.all(calls.map((one) => one.stop()));
    for (const one of calls) {
      expect(one.wellSince(promoted) - promoted).toBeLessThan(backWithinMs);
      expect(one.slowestMs).toBeLessThan(patienceMs);
    }
    await old.restart();
    await cluster.whole();
  });

  it('works with a master that comes back empty in its place', async () => {
    const node = await cluster.masterOf(shardKeys(1).due);
    await node.kill();
    await node.restart();
    expect(await holds(async () => (await store.ping()) === 'ok', backWithinMs)).toBe(true);
    await write(store, of(1));
    expect((await store.read(of(1))).dueInMs).toBeDefined();
  });

  it('keeps no caller waiting while every node hangs, and works again when they do', async () => {
    const calls = Array.from({ length: shardCount }, (_, shard) => new Calls(() => write(store, of(shard))));
    await Promise.all(cluster.nodes.map((node) => node.kill('SIGSTOP')));
    const failedTwice = (one: Calls) => one.ended.filter(({ ok }) => !ok).length >= 4;
    expect(await holds(() => calls.every(failedTwice), 20_000)).toBe(true);
    await Promise.all(cluster.nodes.map((node) => node.kill('SIGCONT')));
    await cluster.whole();
    expect(await holds(async () => (await store.ping()) === 'ok', backWithinMs)).toBe(true);
    await Promise.all(calls.map((one) => one.stop()));
    expect(Math.max(...calls.map((one) => one.slowestMs))).toBeLessThan(patienceMs);
  });
});
