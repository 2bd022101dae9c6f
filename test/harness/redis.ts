import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port';
import { leash, leashProcess, letGo } from './leash';
import type { Server } from './postgres';
import { provisioned } from './provisioned';
import { dockerAnswers, installRedis, redisProgram } from './redis-programs';

export interface PrivateRedis {
  url: string;
  port: number;
  /** Sends the signal and, where it ends the process, waits for that. SIGSTOP and SIGCONT make a hung Redis. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  stop(): Promise<void>;
}

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
  if (!redisProgram()) await provisioned('redis'); // which installs one where it may
  const program = redisProgram();
  if (!program) {
    throw new Error(
      'This suite starts and kills a Redis of its own: it needs `redis-server` (or `valkey-server`) on PATH. ' +
        'REDIS_URL or Docker are enough for the others.',
    );
  }
  return startProgram(program, port, env);
}

/** The first Redis to be had: `REDIS_URL`, a program on PATH, Docker, apt-get where root. */
export async function provisionRedis(): Promise<Server> {
  const given = process.env.REDIS_URL;
  if (given) return { url: given, origin: 'REDIS_URL', stop: () => Promise.resolve() };
  let program = redisProgram();
  if (!program && (await dockerAnswers())) return startContainer();
  const refusal = program ? undefined : await installRedis();
  program ??= redisProgram();
  if (program) return { origin: program, ...(await startProgram(program)) };
  throw new Error(
    'No Redis for the tests. Install redis-server or valkey-server (apt-get install redis-server, brew install redis), ' +
      `or start Docker, or set REDIS_URL.\n- PATH: neither redis-server nor valkey-server\n- Docker: no engine answers\n- ${refusal ?? 'apt-get: installed one, but not on PATH'}`,
  );
}

async function startProgram(program: string, fixedPort?: number, env = {}): Promise<PrivateRedis> {
  const port = fixedPort ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-redis-'));
  const quiet = ['--save', '', '--appendonly', 'no', '--loglevel', 'warning'];
  const server = spawn(program, ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, ...quiet], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
  });
  let output = '';
  for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => (output += chunk));
  letGo(server);
  const exited = once(server, 'exit').catch(() => undefined);
  const end = leashProcess(server.pid ?? 0, 'KILL', folder);
  const until = Date.now() + bootSeconds * 1000;
  while (!(await pings(port))) {
    if (server.exitCode !== null || server.pid === undefined || Date.now() > until) {
      await end();
      throw new Error(`${program} did not start: ${output.trim()}`);
    }
    await delay(10);
  }
  const ended = (): boolean => server.exitCode !== null || server.signalCode !== null;
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill: async (signal = 'SIGKILL') => {
      server.ref();
      server.kill(signal);
      if (!['SIGSTOP', 'SIGCONT'].includes(signal) && !ended()) await exited;
    },
    stop: end,
  };
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

/** Whether a Redis, done with loading, answers there. */
function pings(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const answer = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.setTimeout(1000, () => answer(false));
    socket.on('error', () => answer(false));
    socket.on('close', () => answer(false));
    socket.on('data', (chunk) => answer(chunk.toString().startsWith('+PONG')));
  });
}
