import { Redis } from 'ioredis';
import type { Cores } from './cores';
import type { Bar } from './figures';
import { NotInstalled } from './others/installed';
import { startNginxLua } from './others/nginx-lua';
import { startWebdis } from './others/webdis';
import { type Program, startProgram } from './program';
import type { Rig } from './rig';

/** One that is asked in turn with the broker. */
export interface Contender {
  name: string;
  /** What the broker's figure divided by this one's must be. */
  bar?: Bar;
  path: string;
  server: Program;
}

export interface Answer {
  headers: Record<string, string>;
  body: string;
}

const key = 'bench:answer';

/** Without what every server in Node writes of its own accord. */
export function withoutNodesOwn({ headers, body }: Answer): Answer {
  const { date: _date, connection: _connection, 'keep-alive': _keepAlive, ...rest } = headers;
  return { headers: rest, body };
}

/** Those that the broker is compared with, started one after the other. What is not installed is told, and left out. */
export async function startContenders(
  { redisUrl }: Rig,
  {
    answer,
    path,
    cores,
    missing,
  }: { answer: Answer; path: string; cores: Cores | undefined; missing: (why: string) => void },
  started: (server: Program) => void,
): Promise<Contender[]> {
  const redis = new Redis(redisUrl);
  await redis.set(key, answer.body).finally(() => redis.disconnect());
  const env = { BENCH_ANSWER: JSON.stringify(answer), BENCH_KEY: key, REDIS_URL: redisUrl };
  const node = (script: string) => () => startProgram(`bench/servers/${script}.js`, env, cores?.server);
  const found = { key, headers: answer.headers };
  const candidates: (Omit<Contender, 'server'> & { start: () => Promise<Program> })[] = [
    { name: 'bare `node:http` constant', bar: { atLeast: 0.9 }, path, start: node('bare-http') },
    { name: 'Fastify constant', path, start: node('fastify-constant') },
    { name: 'node + ioredis GET', bar: { atLeast: 2 }, path, start: node('redis-get') },
    {
      name: 'webdis',
      bar: { atLeast: 1.2 },
      path: `/GET/${key}.txt`,
      start: () => startWebdis(redisUrl, cores?.server),
    },
    {
      name: 'nginx + Lua + Redis',
      bar: { atLeast: 1.5 },
      path,
      start: () => startNginxLua(redisUrl, found, cores?.server),
    },
  ];
  const contenders: Contender[] = [];
  for (const { start, ...rest } of candidates) {
    try {
      const server = await start();
      started(server);
      contenders.push({ ...rest, server });
    } catch (error) {
      if (!(error instanceof NotInstalled)) throw error;
      missing(error.message);
    }
  }
  return contenders;
}
