import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port';
import { provisioned } from './provisioned';
import { root } from './root';

/** `npm run demo` as it was built, on ports of its own. */
export interface RunningDemo {
  /** All that it says to whoever starts it. */
  printed: string;
  brokerPort: number;
  simulatorPort: number;
  /** An empty folder, gone when it ends. */
  folder: string;
  stop(): Promise<void>;
}

export async function startDemo(): Promise<RunningDemo> {
  await provisioned('build');
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-demo-'));
  const [brokerPort, simulatorPort] = await Promise.all([freePort(), freePort()]);
  const env = { ...process.env, NODE_ENV: '', PORT: `${brokerPort}`, SIMULATOR_PORT: `${simulatorPort}` };
  const demo = execFile(process.execPath, [join(root, 'dist/apps/demo/src/main.js')], { env, cwd: folder });
  const ended = new Promise((resolve) => demo.once('exit', resolve));
  let printed = '';
  for await (const chunk of demo.stdout!) if ((printed += String(chunk)).includes('Ctrl-C ends')) break;
  return {
    ...{ printed, brokerPort, simulatorPort, folder },
    stop: async () => {
      demo.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whether what is pasted from documentation can be run here. */
export function hasPrograms(...programs: string[]): boolean {
  try {
    for (const program of programs) execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
