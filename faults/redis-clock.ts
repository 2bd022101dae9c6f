import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type PrivateRedis, startRedis } from '../test/harness/redis';

const run = promisify(execFile);
const places = ['x86_64-linux-gnu', 'aarch64-linux-gnu'].map(
  (machine) => `/usr/lib/${machine}/faketime/libfaketimeMT.so.1`,
);

/** What a row needs is not to be had on this machine; that is no pass. */
export class CouldNotRun extends Error {}

export interface RedisWithClock {
  redis: PrivateRedis;
  /** Moves the wall clock of that Redis against the real one. */
  shift(seconds: number): void;
}

/** A Redis whose clock can be moved while it runs, by libfaketime: installed as root on Debian where it is missing. */
export async function startRedisWithClock(): Promise<RedisWithClock> {
  const library = places.find((path) => existsSync(path)) ?? (await install());
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-clock-'));
  const file = join(folder, 'offset');
  const shift = (seconds: number): void => writeFileSync(file, `${seconds < 0 ? '' : '+'}${seconds}`);
  shift(0);
  const redis = await startRedis(undefined, {
    // The C library's own malloc: that of Redis asks for the time before libfaketime can tell it.
    LD_PRELOAD: `${library}:libc.so.6`,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    // Timeouts are counted by the monotonic clock, which nobody can set.
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  });
  const stop = (): Promise<void> => redis.stop().finally(() => rmSync(folder, { recursive: true, force: true }));
  return { redis: { ...redis, stop }, shift };
}

async function install(): Promise<string> {
  const why = 'the clock of Redis is moved by libfaketime, which is not installed';
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get'))
    throw new CouldNotRun(`${why}: apt-get install faketime`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update'], { env, timeout: 180_000 });
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'faketime'], { env, timeout: 180_000 });
  } catch (error) {
    throw new CouldNotRun(`${why}, and cannot be: ${(error as Error).message.trim().slice(-300)}`);
  }
  const library = places.find((path) => existsSync(path));
  if (!library) throw new CouldNotRun(`${why}: the package put it elsewhere`);
  return library;
}
