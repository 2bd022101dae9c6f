import { randomUUID } from 'node:crypto';
import type { Clock } from '#providers';
import { startRedis } from '../../../../test/harness/redis';
import { startRedisCluster } from '../../../../test/harness/redis-cluster';
import { MemoryTokenStore } from './memory-token-store';
import { RedisTokenStore } from './redis-token-store';
import { type Claim, minRestMs, type NewToken, type TokenStore } from './token-store';

/** A store of either kind, on clocks that the test moves. */
export interface Bench {
  store: TokenStore;
  now(): number;
  /** Moves every clock that the store looks at. */
  advance(ms: number): void;
  /** Sets the store's own clock, if it can be set: Redis' host has one. */
  setClock(ms: number): void;
  /** Moves our own wall clock alone. */
  shiftWall(ms: number): void;
  close(): Promise<void>;
}

class TestClock implements Clock {
  shift = 0;
  wallShift = 0;
  now = (): number => Date.now() + this.shift + this.wallShift;
  monotonic = (): number => performance.now() + this.shift;
}

async function memoryBench(): Promise<Bench> {
  const clock = new TestClock();
  const store = new MemoryTokenStore(clock);
  return {
    store,
    now: clock.now,
    advance: (ms) => (clock.shift += ms),
    setClock: () => undefined,
    shiftWall: (ms) => (clock.wallShift += ms),
    close: () => store.close(),
  };
}

function redisBench(): Promise<Bench> {
  return benchOn(startRedis());
}

export function clusterBench(): Promise<Bench> {
  return benchOn(startRedisCluster());
}

async function benchOn(starting: Promise<{ url: string; stop(): Promise<void> }>): Promise<Bench> {
  const redis = await starting;
  const clock = new TestClock();
  const store = new RedisTokenStore(redis.url, { clock });
  await store.ready(5_000);
  return {
    store,
    now: clock.now,
    advance: (ms) => {
      clock.shift += ms;
      store.clockShiftMs += ms;
    },
    setClock: (ms) => (store.clockShiftMs += ms),
    shiftWall: (ms) => (clock.wallShift += ms),
    close: async () => {
      await store.close();
      await redis.stop();
    },
  };
}

/** Those that do everything alike, for `describe.each`. */
export const stores: [name: string, start: () => Promise<Bench>][] = [
  ['memory', memoryBench],
  ['Redis', redisBench],
];

/** What a test of a store begins with. */
export interface Given {
  bench: Bench;
  store: TokenStore;
  /** Of a client that no other test has. */
  id: string;
}

/** Called in a `describe`: starts one store for all its tests, and gives each of them a client of its own. */
export function eachWithItsClient(start: () => Promise<Bench>, take: (given: Given) => void): void {
  let bench: Bench;
  let id: string;
  beforeAll(async () => {
    bench = await start();
  });
  afterAll(() => bench.close());
  beforeEach(() => {
    id = randomUUID();
    take({ bench, store: bench.store, id });
  });
  afterEach(() => bench.store.remove(id));
}

/** Claims on demand, once the last token has had its least rest. */
export async function claimedOf(bench: Pick<Bench, 'store' | 'advance'>, id: string, seen?: string): Promise<Claim> {
  bench.advance(minRestMs);
  const answer = await bench.store.claimOne(id, seen);
  if (answer.outcome !== 'claimed') throw new Error(`not claimed but ${answer.outcome}`);
  return answer.claim;
}

export const token = (clockNow: number, over: Partial<NewToken> = {}): NewToken => ({
  secretVersion: 1,
  sealed: Buffer.from([0, 255, 1, 128]),
  runwayMs: 270_000,
  serveUntil: clockNow + (over.runwayMs ?? 270_000),
  servableLifeMs: 270_000,
  renewInMs: 200_000,
  marginMs: 30_000,
  fingerprints: [],
  ...over,
});
