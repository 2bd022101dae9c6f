import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The Redis (or Valkey) server on PATH. */
export function redisProgram(): string | undefined {
  for (const name of ['redis-server', 'valkey-server']) {
    for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
      try {
        const path = join(folder, name);
        accessSync(path, constants.X_OK);
        return path;
      } catch {
        // not in this folder
      }
    }
  }
  return undefined;
}

/** Whether a Docker engine answers: the client alone, without one, may be installed. */
export async function dockerAnswers(): Promise<boolean> {
  try {
    await run('docker', ['version', '--format', '{{.Server.Version}}'], { timeout: 5_000, killSignal: 'SIGKILL' });
    return true;
  } catch {
    return false;
  }
}

/**
 * Installs Redis where that is nobody's loss: as root on a Debian with apt, which is what a CI container is.
 *
 * @returns what went wrong, or nothing
 */
export async function installRedis(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'apt-get: not root';
  if (!existsSync('/usr/bin/apt-get')) return 'apt-get: not on this system';
  // Neither questions, nor the service that the package would start where there is an init system.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  try {
    await run('apt-get', ['update'], { env, timeout: 180_000 });
    await run('apt-get', ['install', '-y', '--no-install-recommends', 'redis-server'], { env, timeout: 180_000 });
    return undefined;
  } catch (error) {
    return `apt-get: ${(error as Error).message.trim().slice(-500)}`;
  }
}
