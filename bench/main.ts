import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { takeCores } from './cores';
import { markdownTable, type Row, verdict } from './figures';
import { describeMachine } from './machine';
import { root } from '../test/harness/root';
import { report } from './report';
import { measureRedisMemory } from './redis-memory';
import { measureRenewals } from './renewals';
import { measureTokenReads } from './token-read';

const usage = `npm run bench -- [--only token-reads|renewals|redis-memory] [--rounds 5] [--seconds 4] [--connections 32] [--clients 1000]
  [--ttl 3] [--json] [--write] [--cpu-prof FOLDER]
  --write puts the figures into docs/performance.md; --cpu-prof leaves a V8 profile of each broker there`;

const titles: Record<string, string> = {
  'token-reads': 'Token reads',
  renewals: 'Renewals',
  'redis-memory': 'Redis memory per client',
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '5' },
      seconds: { type: 'string', default: '4' },
      connections: { type: 'string', default: '32' },
      clients: { type: 'string', default: '1000' },
      ttl: { type: 'string', default: '3' },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void console.log(usage);
  const cores = takeCores();
  const profile = values['cpu-prof'];
  const shared = {
    rounds: positive('rounds', values.rounds),
    seconds: positive('seconds', values.seconds),
    cores,
    say: (line: string) => console.error(line),
    nodeOptions: profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`],
  };
  const connections = positive('connections', values.connections);
  const clients = positive('clients', values.clients);
  const ttlSeconds = positive('ttl', values.ttl);

  const measurements: Record<string, () => Promise<Row[]>> = {
    'token-reads': () => measureTokenReads({ ...shared, connections }),
    renewals: () => measureRenewals({ ...shared, clients, ttlSeconds }),
    'redis-memory': () => measureRedisMemory({ ...shared, clients }),
  };
  const chosen = values.only === undefined ? Object.keys(measurements) : [values.only];
  const parts: Record<string, Row[]> = {};
  for (const name of chosen) {
    const measure = measurements[name];
    if (!measure) throw new Error(`--only ${name}: there is no such measurement\n${usage}`);
    // One after the other: they would be each other's noisy neighbours.
    parts[titles[name] ?? name] = await measure();
  }

  const machine = describeMachine(cores);
  if (values.json) {
    const judged = Object.entries(parts).map(([part, rows]) => [
      part,
      rows.map((row) => ({ ...row, verdict: verdict(row) })),
    ]);
    console.log(JSON.stringify({ machine, ...Object.fromEntries(judged) }, null, 2));
  } else {
    for (const [part, rows] of Object.entries(parts)) console.log(`\n## ${part}\n\n${markdownTable(rows)}`);
    console.log(`\n${machine}`);
  }
  if (values.write) {
    const command = ['npm run bench --', ...process.argv.slice(2)].join(' ');
    writeFileSync(join(root, 'docs', 'performance.md'), report(parts, machine, command));
  }
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be a number above 0\n${usage}`);
  return value;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
