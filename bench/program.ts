import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
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
  const { child, end, printed } = launch([process.execPath, ...nodeOptions, join(root, 'dist', script)], { env, core });
  const address = new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const url = line.includes('listening') && /http:\/\/[\d.]+:\d+/.exec(line)?.[0];
      if (url) resolve(url);
    });
    const fail = (): void => reject(new Error(`${script} did not start. It printed:\n${printed()}`));
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

/** Starts any program that listens on the port, and waits until it does; removes its folder at the end. */
export async function startCommand(
  command: string[],
  { port, folder, core }: { port: number; folder: string; core: string | undefined },
): Promise<Program> {
  const { child, end, printed } = launch(command, { env: {}, core, folder });
  const until = Date.now() + bootMs;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || Date.now() > until) {
      await end();
      throw new Error(`${command[0]} did not start. It printed:\n${printed()}`);
    }
    await delay(20);
  }
  return { url: `http://127.0.0.1:${port}`, pid: child.pid!, stop: end };
}

interface Launch {
  env: Record<string, string>;
  core: string | undefined;
  folder?: string;
}

function launch(command: string[], { env, core, folder }: Launch) {
  // taskset becomes the program it starts: the process id stays.
  const [program, ...args] = core === undefined ? command : ['taskset', '--cpu-list', core, ...command];
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(program!, args, {
    cwd: folder ?? root,
    env: { PATH, HOME, NODE_ENV: 'production', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk));
  child.on('error', (error) => (text += error.message));
  return { child, end: leashProcess(child.pid ?? 0, 'TERM', folder), printed: () => text };
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const accepted = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'close').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return accepted;
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
