import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { leashProcess } from '../test/harness/leash';
import { root } from '../test/harness/root';

export interface Program {
  url: string;
  pid: number;
  stop(): Promise<void>;
}

const bootMs = 20_000;

/**
 * Starts a built Node program and waits until it says where it listens.
 * @param script below dist/
 * @param core to run on, as `taskset --cpu-list` wants it
 */
export async function startProgram(
  script: string,
  env: Record<string, string>,
  core?: string,
  nodeOptions: string[] = [],
): Promise<Program> {
  const node = [process.execPath, ...nodeOptions, join(root, 'dist', script)];
  // taskset becomes the program it starts: the process id stays.
  const [command, ...args] = core === undefined ? node : ['taskset', '--cpu-list', core, ...node];
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(command!, args, {
    cwd: root,
    env: { PATH, HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const end = leashProcess(child.pid ?? 0, 'TERM');
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += chunk));
  const address = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = line.includes('listening') && /http:\/\/[\d.]+:\d+/.exec(line)?.[0];
      if (url) resolve(url);
    });
    const fail = (): void => reject(new Error(`${script} did not start. It printed:\n${printed}`));
    void once(child, 'exit').then(fail, fail);
    setTimeout(fail, bootMs).unref();
  });
  try {
    return { url: await address, pid: child.pid!, stop: end };
  } catch (error) {
    await end();
    throw error;
  }
}

/** User and system time of all threads since the process started; NaN where there is no /proc. */
export function cpuSeconds(pid: number): number {
  const ticksPerSecond = 100; // USER_HZ: the same on every Linux that Node runs on
  try {
    const afterName = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ').pop()!.split(' ');
    return (Number(afterName[11]) + Number(afterName[12])) / ticksPerSecond;
  } catch {
    return NaN;
  }
}

/** Resident memory, MB; NaN where there is no /proc. */
export function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
  } catch {
    return NaN;
  }
}
