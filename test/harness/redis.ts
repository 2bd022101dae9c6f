import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { leash } from './leash';
import type { Server } from './postgres';
import { provisioned } from './provisioned';
import { neededRedisProgram, pings, type PrivateRedis, startRedisProcess } from './redis-process';
import { dockerAnswers, installRedis, redisProgram } from './redis-programs';

export type { PrivateRedis };

const run = promisify(execFile);
const bootSeconds = 10;

/** The Redis that all suites of a run share. Keep to keys of your own, and flush nothing. */
export async function sharedRedisUrl(): Promise<string> {
  return (await provisioned('redis')).url;
}

/**
 * A Redis of one's own, to fill, to flush and to kill.
 * @param env what its process gets besides, as a library that moves its clock wants to be told
 */
export async function startRedis(port?: number, env: Record<string, string> = {}): Promise<PrivateRedis> {
  return startRedisProcess(await neededRedisProgram(), { ...(port !== undefined && { port }), env });
}

/** The first Redis to be had: `REDIS_URL`, a program on PATH, Docker, apt-get where root. */
export async function provisionRedis(): Promise<Server> {
  const given = process.env.REDIS_URL;
  if (given) return { url: given, origin: 'REDIS_URL', stop: () => Promise.resolve() };
  let program = redisProgram();
  if (!program && (await dockerAnswers())) return startContainer();
  const refusal = program ? undefined : await installRedis();
  program ??= redisProgram();
  if (program) return { origin: program, ...(await startRedisProcess(program)) };
  throw new Error(
    'No Redis for the tests. Install redis-server or valkey-server (apt-get install redis-server, brew install redis), ' +
      `or start Docker, or set REDIS_URL.\n- PATH: neither redis-server nor valkey-server\n- Docker: no engine answers\n- ${refusal ?? 'apt-get: installed one, but not on PATH'}`,
  );
}

async function startContainer(): Promise<Server> {
  const name = `token-broker-test-${randomBytes(4).toString('hex')}`;
  const stop = leash('docker rm --force --volumes "$1"', [name]);
  try {
    await run('docker', ['run', '--detach', '--rm', '--name', name, '--publish', '127.0.0.1::6379', 'redis:7-alpine']);
    const { stdout } = await run('docker', ['port', name, '6379/tcp']);
    const port = Number(stdout.trim().split('\n')[0]?.split(':').pop());
    const until = Date.now() + bootSeconds * 1000;
    while (!(await pings(port))) {
      if (Date.now() > until) throw new Error(`Redis in Docker does not answer on port ${port}`);
      await delay(50);
    }
    return { url: `redis://127.0.0.1:${port}`, origin: 'Docker', stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
