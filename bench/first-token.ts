import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { leash } from '../test/harness/leash';
import { root } from '../test/harness/root';
import { BrokerApi } from './broker-api';
import { type Row, spread } from './figures';
import { startProgram } from './program';

const adminKey = 'bench-admin-key-of-32-characters';
const client = 'bench-first';
/** By tools/build.mjs: without its note of what they are made from, it makes them again. */
const made = ['libs/registry/src/generated', 'dist'];

/** `npm start` with nothing set and nothing stored, up to the first token that a service has got from it. */
export async function measureFirstToken({
  rounds,
  say,
}: {
  rounds: number;
  say: (line: string) => void;
}): Promise<Row[]> {
  const simulator = await startProgram('apps/simulator/src/main.js', { PORT: '0', CHEAP_TOKENS: '1' });
  try {
    const installed: number[] = [];
    const changed: number[] = [];
    for (let round = 1; round <= rounds; round++) {
      installed.push(await startOnce(simulator.url));
      for (const folder of made) rmSync(join(root, folder, '.made-from'));
      changed.push(await startOnce(simulator.url));
      const told = [installed, changed].map((all) => `${all.at(-1)!.toFixed(1)} s`);
      say(`  round ${round}: first token after ${told[0]}, and ${told[1]} where all is compiled anew`);
    }
    const measure = '`npm start`, embedded, to the first token';
    const note = 'after `npm ci`, which compiles; makes its database';
    return [
      { measure, ...spread(installed), unit: 's', bar: { atMost: 5 }, note },
      { measure: '… where all is compiled anew, as after an update', ...spread(changed), unit: 's' },
    ];
  } finally {
    await simulator.stop();
  }
}

async function startOnce(simulator: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-start-'));
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    PORT: '0',
    DATA_DIR: folder,
    BOOTSTRAP_ADMIN_KEY: adminKey,
    ALLOWED_PROVIDER_HOSTS: simulator,
  };
  const from = performance.now();
  // A group of its own, since npm and its shell need not pass on a signal.
  const npm = spawn('npm', ['start'], { cwd: root, env, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const end = leash('kill -TERM -"$1"; sleep 1; kill -KILL -"$1"; rm -rf -- "$2"', [String(npm.pid), folder]);
  try {
    const url = await new Promise<string>((resolve, reject) => {
      createInterface({ input: npm.stdout }).on('line', (line) => {
        const found = /"url":"(http:[^"]+)".*"msg":"listening"/.exec(line)?.[1];
        if (found) resolve(found);
      });
      void once(npm, 'exit').then(() => reject(new Error('`npm start` ended')));
    });
    const api = new BrokerApi(url, adminKey, simulator);
    await api.registerClient(client, { ttlSeconds: 3_600, verify: true, longToken: false });
    await api.readToken(client, await api.grantedKey('bench', client));
    return (performance.now() - from) / 1_000;
  } finally {
    await end();
  }
}
