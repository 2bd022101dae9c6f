import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

export interface RunningProgram {
  url: string;
  ended: Promise<unknown>;
  stop(): Promise<void>;
}

/** Starts one of the built programs beside this one and waits until it says where it listens. */
export async function startProgram(name: 'broker' | 'simulator', env: Record<string, string>): Promise<RunningProgram> {
  const script = join(__dirname, '..', '..', name, 'src', 'main.js');
  // A process group of its own: Ctrl-C reaches this program alone, which then stops the others in order.
  const child = spawn(process.execPath, ['--enable-source-maps', script], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const ended = once(child, 'exit');
  let printed = '';
  const url = await new Promise<string>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      printed += String(chunk);
      const address = /(?:runs embedded at|listening on) (http:\/\/[\w.:]+)/.exec(printed)?.[1];
      if (address) resolve(address);
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    void ended.then(() => reject(new Error(`The ${name} did not start:\n${printed}`)));
  });
  // What it has to say later is about something that went wrong.
  child.stdout.removeAllListeners('data').pipe(process.stderr);
  child.stderr.removeAllListeners('data').pipe(process.stderr);
  return {
    url,
    ended,
    stop: async () => {
      if (child.exitCode === null) child.kill('SIGTERM');
      await ended;
    },
  };
}
