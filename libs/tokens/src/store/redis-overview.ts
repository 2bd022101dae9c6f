import { shardCount, shardKeys } from './redis-keys';
import type { Overview } from './token-store';

/** The commands that it takes: one Redis and a Cluster have them alike. */
export interface OverviewCommands {
  zcard(key: string): Promise<number>;
  zcount(key: string, from: number, to: number): Promise<number>;
  zrange(key: string, from: string, to: string, withScores: 'WITHSCORES'): Promise<string[]>;
}

/** What all shards hold together. */
export async function overviewOf(redis: OverviewCommands, now: number, next: number): Promise<Overview> {
  const shards = await Promise.all(
    Array.from({ length: shardCount }, async (_, shard) => {
      const { due, trouble } = shardKeys(shard);
      const [depth, late, soonest, ending] = await Promise.all([
        redis.zcard(due),
        redis.zcount(due, 0, now),
        redis.zrange(due, '0', String(next - 1), 'WITHSCORES'),
        redis.zrange(trouble, '0', String(next - 1), 'WITHSCORES'),
      ]);
      return { depth, late, soonest: pairs(soonest, now), ending: pairs(ending, now) };
    }),
  );
  const sum = (pick: (shard: (typeof shards)[number]) => number) => shards.reduce((n, shard) => n + pick(shard), 0);
  const least = (all: { id: string; inMs: number }[]) => all.sort((a, b) => a.inMs - b.inMs).slice(0, next);
  const ending = least(shards.flatMap((s) => s.ending));
  return {
    depth: sum((shard) => shard.depth),
    due: sum((shard) => shard.late),
    next: least(shards.flatMap((s) => s.soonest)).map(({ id, inMs }) => ({ clientId: id, dueInMs: inMs })),
    leastRunway: ending.map(({ id, inMs }) => ({ clientId: id, runwayMs: Math.max(0, inMs) })),
  };
}

function pairs(flat: string[], now: number): { id: string; inMs: number }[] {
  return Array.from({ length: flat.length / 2 }, (_, i) => ({ id: flat[2 * i]!, inMs: Number(flat[2 * i + 1]) - now }));
}
