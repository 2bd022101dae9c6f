import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { freePort } from './free-port';
import { leashProcess, letGo } from './leash';
import { provisioned } from './provisioned';
import { redisProgram } from './redis-programs';

export interface PrivateRedis {
  url: string;
  port: number;
  /** Sends the signal and, where it ends the process, waits for that. SIGSTOP and SIGCONT make a hung Redis. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again once it has ended, in the same place and without what it held in memory. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

interface Launch {
  port?: number;
  /** What it is told beside its port and folder. */
  args?: (folder: string, port: number) => string[];
  /** What its process gets besides, as a library that moves its clock wants to be told. */
  env?: Record<string, string>;
}

const bootSeconds = 10;
/** Keeps nothing on disk, and lets a replica follow at once. */
export const forgetful = [
  ...['--save', '', '--appendonly', 'no', '--loglevel', 'warning'],
  ...['--repl-diskless-sync-delay', '0'],
];

/** The Redis program, which is installed where it may be. */
export async function neededRedisProgram(): Promise<string> {
  if (!redisProgram()) await provisioned('redis');
  const program = redisProgram();
  if (program) return program;
  throw new Error(
    'This suite starts and kills a Redis of its own: it needs `redis-server` (or `valkey-server`) on PATH. ' +
      'REDIS_URL or Docker are enough for the others.',
  );
}

/** One Redis process in a folder of its own. */
export async function startRedisProcess(program: string, { port, args, env = {} }: Launch = {}): Promise<PrivateRedis> {
  const ownPort = port ?? (await freePort());
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-redis-'));
  const told = [...(args?.(folder, ownPort) ?? forgetful), '--port', String(ownPort), '--bind', '127.0.0.1'];
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  let running = await launch();

  async function launch() {
    const server = spawn(program, [...told, '--dir', folder], {
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    let output = '';
    for (const stream of [server.stdout, server.stderr]) stream.on('data', (chunk) => (output += chunk));
    letGo(server);
    const exited = once(server, 'exit').catch(() => undefined);
    ends.push(leashProcess(server.pid ?? 0, 'KILL', folder));
    const until = Date.now() + bootSeconds * 1000;
    while (!(await pings(ownPort))) {
      if (server.exitCode !== null || server.pid === undefined || Date.now() > until) {
        await stop();
        throw new Error(`${program} did not start: ${output.trim()}`);
      }
      await delay(10);
    }
    return { server, exited };
  }

  return {
    url: `redis://127.0.0.1:${ownPort}`,
    port: ownPort,
    kill: async (signal = 'SIGKILL') => {
      const { server, exited } = running;
      server.ref();
      server.kill(signal);
      const ended = server.exitCode !== null || server.signalCode !== null;
      if (!['SIGSTOP', 'SIGCONT'].includes(signal) && !ended) await exited;
    },
    restart: async () => {
      running = await launch();
    },
    stop,
  };
}

/** Whether a Redis, done with loading, answers there. */
export function pings(port: number): Promise<boolean> {
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

/** Sends one command to the Redis at that port, on a connection of its own. */
export async function command<T = unknown>(port: number, name: string, ...args: (string | number)[]): Promise<T> {
  const redis = new Redis({
    ...{ port, host: '127.0.0.1', lazyConnect: true, enableReadyCheck: false, protocol: 2, disableClientInfo: true },
    ...{ retryStrategy: null, commandTimeout: 2_000, connectTimeout: 1_000 },
  });
  redis.on('error', () => undefined);
  try {
    return (await redis.call(name, ...args)) as T;
  } finally {
    redis.disconnect();
  }
}

/** Looks again until it holds; what fails meanwhile counts as no. */
export async function waitUntil(what: string, look: () => Promise<boolean>, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await look().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`);
    await delay(25);
  }
}

/** Whether a replica is connected to its master and has what that has. */
export async function follows(port: number): Promise<boolean> {
  const [role, , , state] = await command<string[]>(port, 'ROLE');
  return role === 'slave' && state === 'connected';
}
