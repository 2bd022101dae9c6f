import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../test/harness/root';
import { positive, profiling } from './arguments';
import { barChart } from './bar-chart';
import { measureColdReads } from './cold-read';
import { takeCores } from './cores';
import { markdownTable, type Row, verdict } from './figures';
import { measureFirstToken } from './first-token';
import { describeMachine } from './machine';
import { measureRedisMemory } from './redis-memory';
import { measureReplicas } from './replicas';
import { writeSections } from './report';
import type { Title } from './sections';
import { measureStrain } from './strain';
import { measureTokenReads } from './token-read';

const usage = `npm run bench -- [--only SECTION,…] [--rounds 5] [--seconds 4] [--connections 32] [--clients 1000]
  [--json] [--write] [--cpu-prof FOLDER]
  Sections: token-reads, cold-reads, strain, replicas, redis-memory, start. All of them take some ten minutes.
  --write puts the figures into docs/performance.md; --cpu-prof leaves a V8 profile of each broker there
  Renewals: npm run bench:renewals -- --help`;

interface Measured {
  rows: Row[];
  /** A picture of them, by the name of its file. */
  chart?: { file: string; text: string; svg: string };
}

interface Measurement {
  title: Title;
  measure: () => Promise<Measured>;
}

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
    connections: number('connections', values.connections),
    clients: number('clients', values.clients),
    cores,
    say: (line: string) => console.error(line),
    nodeOptions: profiling(values['cpu-prof']),
  };

  const plain = async (rows: Promise<Row[]>): Promise<Measured> => ({ rows: await rows });
  const measurements: Record<string, Measurement> = {
    'token-reads': {
      title: 'Token reads',
      measure: async () => {
        const { rows, bars } = await measureTokenReads(shared);
        const text = 'Tokens, or their like, served a second by one core';
        const ours = bars.map((bar) => ({ ...bar, ours: bar.name.startsWith('token read') }));
        return { rows, chart: { file: 'reads.svg', text, svg: barChart(text, ours) } };
      },
    },
    'cold-reads': { title: 'Cold reads and memory', measure: () => plain(measureColdReads(shared)) },
    strain: { title: 'Reads under strain', measure: () => plain(measureStrain(shared)) },
    replicas: { title: 'Provider calls by a fleet', measure: () => plain(measureReplicas(shared)) },
    'redis-memory': { title: 'Redis memory per client', measure: () => plain(measureRedisMemory(shared)) },
    // The last: it compiles anew what is running here.
    start: { title: 'From nothing to a token', measure: () => plain(measureFirstToken(shared)) },
  };
  const chosen = values.only?.split(',') ?? Object.keys(measurements);
  const unknown = chosen.filter((name) => !measurements[name]);
  if (unknown.length > 0) throw new Error(`--only ${unknown.join()}: there is no such section\n${usage}`);
  const found: { title: Title; measured: Measured }[] = [];
  // One after the other: they would be each other's noisy neighbours.
  for (const [name, { title, measure }] of Object.entries(measurements)) {
    if (chosen.includes(name)) found.push({ title, measured: await measure() });
  }

  const machine = describeMachine(cores);
  if (values.json) {
    const judged = found.map(({ title, measured }) => [
      title,
      measured.rows.map((row) => ({ ...row, verdict: verdict(row.bar, row.figure) })),
    ]);
    console.log(JSON.stringify({ machine, ...Object.fromEntries(judged) }, null, 2));
  } else {
    for (const { title, measured } of found) console.log(`\n## ${title}\n\n${markdownTable(measured.rows)}`);
    console.log(`\n${machine}`);
  }
  if (values.write) {
    const command = ['npm run bench --', ...process.argv.slice(2)].join(' ');
    const sections = found.map(({ title, measured: { rows, chart } }) => {
      if (chart) writeFileSync(join(root, 'docs', chart.file), chart.svg);
      return [title, `${chart ? `![${chart.text}](${chart.file})\n\n` : ''}${markdownTable(rows)}`];
    });
    await writeSections(Object.fromEntries(sections) as Partial<Record<Title, string>>, { command, machine });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
