import { parseArgs } from 'node:util';
import { positive, profiling } from './arguments';
import { takeCores } from './cores';
import { markdownTable, type Row, verdict } from './figures';
import { describeMachine } from './machine';
import { measureRedisMemory } from './redis-memory';
import { writeSections } from './report';
import type { Title } from './sections';
import { measureTokenReads } from './token-read';

const usage = `npm run bench -- [--only token-reads|redis-memory] [--rounds 5] [--seconds 4] [--connections 32] [--clients 1000]
  [--json] [--write] [--cpu-prof FOLDER]
  --write puts the figures into docs/performance.md; --cpu-prof leaves a V8 profile of each broker there
  Renewals: npm run bench:renewals -- --help`;

const titles: Record<string, Title> = {
  'token-reads': 'Token reads',
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
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void console.log(usage);
  const cores = takeCores();
  const number = (name: string, text: string): number => positive(name, text, usage);
  const shared = {
    rounds: number('rounds', values.rounds),
    seconds: number('seconds', values.seconds),
    cores,
    say: (line: string) => console.error(line),
    nodeOptions: profiling(values['cpu-prof']),
  };
  const connections = number('connections', values.connections);
  const clients = number('clients', values.clients);

  const measurements: Record<string, () => Promise<Row[]>> = {
    'token-reads': () => measureTokenReads({ ...shared, connections }),
    'redis-memory': () => measureRedisMemory({ ...shared, clients }),
  };
  const chosen = values.only === undefined ? Object.keys(measurements) : [values.only];
  const parts: Partial<Record<Title, Row[]>> = {};
  for (const name of chosen) {
    const measure = measurements[name];
    if (!measure) throw new Error(`--only ${name}: there is no such measurement\n${usage}`);
    // One after the other: they would be each other's noisy neighbours.
    parts[titles[name]!] = await measure();
  }

  const machine = describeMachine(cores);
  if (values.json) {
    const judged = Object.entries(parts).map(([part, rows]) => [
      part,
      rows.map((row) => ({ ...row, verdict: verdict(row.bar, row.figure) })),
    ]);
    console.log(JSON.stringify({ machine, ...Object.fromEntries(judged) }, null, 2));
  } else {
    for (const [part, rows] of Object.entries(parts)) console.log(`\n## ${part}\n\n${markdownTable(rows)}`);
    console.log(`\n${machine}`);
  }
  if (values.write) {
    const command = ['npm run bench --', ...process.argv.slice(2)].join(' ');
    const sections = Object.entries(parts).map(([title, rows]) => [title, markdownTable(rows)]);
    await writeSections(Object.fromEntries(sections) as Partial<Record<Title, string>>, { command, machine });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
