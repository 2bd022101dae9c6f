import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { leashProcess, letGo } from './leash';
import { provisioned } from './provisioned';
import { root } from './root';

export interface RunningBroker {
  url: string;
  pid: number;
  /** Sends the signal and, where it ends the process, waits for that; answers with the exit code, if any. */
  kill(signal?: NodeJS.Signals): Promise<number | null>;
  /** Ends it as an orchestrator would, with SIGTERM, and after 5 s with SIGKILL. */
  stop(): Promise<void>;
  /** Everything that it has printed so far, on stdout and stderr. */
  output(): string;
}

const bootSeconds = 20;

/**
 * Starts the built broker as a process of its own on a free port and waits until it listens. It gets the environment
 * given and nothing else, so that no test leans on what the developer's shell happens to hold.
 */
export async function startBroker({
  env,
  script = join(root, 'dist', 'apps', 'broker', 'src', 'main.js'),
  until = 'listening',
}: {
  env: Record<string, string>;
  /** Begins the log line with an address that is waited for. */
  until?: 'listening' | 'waiting for the database';
  /** For a test of the harness itself. */
  script?: string;
}): Promise<RunningBroker> {
  await provisioned('build');
  const { PATH = '', HOME = '' } = process.env;
  const broker = spawn(process.execPath, [script], {
    cwd: root,
    env: { PATH, HOME, NODE_ENV: 'test', HOST: '127.0.0.1', PORT: '0', ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const { pid } = broker;
  if (pid === undefined) throw new Error(`Cannot run ${process.execPath}`);
  const end = leashProcess(pid, 'TERM');
  let printed = '';
  broker.stdout.on('data', (chunk) => (printed += chunk));
  broker.stderr.on('data', (chunk) => (printed += chunk));
  const closed = once(broker, 'close');
  letGo(broker);

  let late: NodeJS.Timeout | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`The broker ${why}. It printed:\n${printed}`));
    late = setTimeout(() => fail(`did not listen within ${bootSeconds} s`), bootSeconds * 1000);
    void closed.then(([code, signal]) => fail(`ended (${signal ?? code}) before it listened`));
    createInterface({ input: broker.stdout }).on('line', (line) => {
      const address = addressIn(line, until);
      if (address) resolve(address);
    });
  })
    .catch(async (error: unknown) => {
      await end();
      throw error;
    })
    .finally(() => clearTimeout(late));

  return {
    url,
    pid,
    kill: async (signal = 'SIGKILL') => {
      broker.ref();
      broker.kill(signal);
      if (!['SIGSTOP', 'SIGCONT'].includes(signal)) await closed;
      return broker.exitCode;
    },
    stop: async () => {
      broker.ref();
      await end();
      await closed;
    },
    output: () => printed,
  };
}

/** The address in the log line that says so; the format is the broker's promise to scripts, too. */
function addressIn(line: string, words: string): string | undefined {
  try {
    const { msg, url } = JSON.parse(line) as { msg?: string; url?: string };
    return msg?.startsWith(words) ? url : undefined;
  } catch {
    return undefined; // not every line is a log line
  }
}
