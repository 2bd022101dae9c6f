import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Cores } from './cores';
import type { Row } from './figures';
import { keyBytes, usedMemoryBytes } from './redis-readings';
import { startRig } from './rig';

export interface MemoryOptions {
  clients: number;
  cores: Cores | undefined;
  say: (line: string) => void;
}

const ttlSeconds = 3_600;
const firstTokensMs = 60_000;

/** What a client and its token take up in Redis, at rest. */
export async function measureRedisMemory({ clients, cores, say }: MemoryOptions): Promise<Row[]> {
  const rig = await startRig(cores);
  const redis = new Redis(rig.redisUrl);
  try {
    const before = await usedMemoryBytes(redis);
    say(`Redis memory: registering ${clients} clients`);
    const names = Array.from({ length: clients }, (_, i) => `bench-${i}`);
    await rig.api.registerClients(names, { ttlSeconds, longToken: true });
    const until = Date.now() + firstTokensMs;
    while ((await keyBytes(redis)).tokens < clients) {
      if (Date.now() > until) throw new Error('Not every client got its first token');
      await delay(500);
    }
    const bytes = await keyBytes(redis);
    const grown = (await usedMemoryBytes(redis)) - before;
    const { body } = await rig.api.readToken(names[0]!, await rig.api.grantedKey('bench', names[0]!));
    const token = (JSON.parse(body) as { access_token: string }).access_token;
    const note = `token of ${token.length} bytes, ${clients} clients`;
    return [
      {
        measure: 'Redis memory per client, its keys',
        figure: bytes.all / clients,
        unit: 'bytes',
        bar: { atMost: 2_048 },
        note,
      },
      { measure: '… of which the sealed token', figure: bytes.sealed / clients, unit: 'bytes' },
      { measure: '… of which all else', figure: (bytes.all - bytes.sealed) / clients, unit: 'bytes' },
      {
        measure: 'Redis memory per client, all that Redis grew by',
        figure: grown / clients,
        unit: 'bytes',
        note: 'with its connections and scripts',
      },
    ];
  } finally {
    redis.disconnect();
    await rig.stop();
  }
}
