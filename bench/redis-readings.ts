import type { Redis } from 'ioredis';

export interface RedisReading {
  /** Scripts run. */
  scripts: number;
  /** Commands that scripts ran, and those sent on their own. */
  commands: number;
  /** Keys that Redis ended by their time: tokens, if nobody replaced them before. */
  expiredKeys: number;
  /** Received and sent. */
  netBytes: number;
  /** User and system time of the whole process. */
  cpuSeconds: number;
  /** Of that, spent running scripts; the rest goes to sockets and waking up. */
  scriptSeconds: number;
}

const scriptCalls = ['eval', 'evalsha', 'fcall'];
/** The measurement's own. */
const notCounted = ['info'];

export async function readRedis(redis: Redis): Promise<RedisReading> {
  const [stats, cpu] = [fields(await redis.info('commandstats')), fields(await redis.info('cpu'))];
  const general = fields(await redis.info('stats'));
  const calls = new Map<string, number>();
  let scriptMicros = 0;
  for (const [name, value] of stats) {
    const command = name.replace(/^cmdstat_/, '').split('|')[0]!;
    if (scriptCalls.includes(command)) scriptMicros += Number(/usec=(\d+)/.exec(value)?.[1] ?? 0);
    calls.set(command, (calls.get(command) ?? 0) + Number(/calls=(\d+)/.exec(value)?.[1] ?? 0));
  }
  const count = (chosen: (name: string) => boolean): number =>
    [...calls].reduce((sum, [name, times]) => (chosen(name) ? sum + times : sum), 0);
  return {
    scripts: count((name) => scriptCalls.includes(name)),
    commands: count((name) => !scriptCalls.includes(name) && !notCounted.includes(name)),
    expiredKeys: Number(general.get('expired_keys')),
    netBytes: Number(general.get('total_net_input_bytes')) + Number(general.get('total_net_output_bytes')),
    cpuSeconds: Number(cpu.get('used_cpu_user')) + Number(cpu.get('used_cpu_sys')),
    scriptSeconds: scriptMicros / 1_000_000,
  };
}

export async function usedMemoryBytes(redis: Redis): Promise<number> {
  return Number(fields(await redis.info('memory')).get('used_memory'));
}

/** As the system sees the process, with what its allocator holds. */
export async function redisResidentMb(redis: Redis): Promise<number> {
  return Number(fields(await redis.info('memory')).get('used_memory_rss')) / 2 ** 20;
}

/** Keys that would end by themselves. */
export async function mortalKeys(redis: Redis): Promise<number> {
  return Number(/expires=(\d+)/.exec(await redis.info('keyspace'))?.[1] ?? 0);
}

/** Bytes of all keys as Redis accounts them, and of the sealed tokens inside them; and how many tokens these are. */
export async function keyBytes(redis: Redis): Promise<{ all: number; sealed: number; tokens: number }> {
  let [all, sealed, tokens] = [0, 0, 0];
  for await (const keys of redis.scanStream({ match: 'tb1:*', count: 500 }) as AsyncIterable<string[]>) {
    const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key, 'SAMPLES', 0)));
    const lengths = await Promise.all(keys.filter((key) => key.includes(':t:')).map((key) => redis.strlen(key)));
    for (const size of sizes) all += size ?? 0;
    for (const size of lengths) sealed += size;
    tokens += lengths.filter((size) => size > 0).length;
  }
  return { all, sealed, tokens };
}

function fields(info: string): Map<string, string> {
  const pairs = info.split('\r\n').map((line) => line.split(':') as [string, string?]);
  return new Map(pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])));
}
