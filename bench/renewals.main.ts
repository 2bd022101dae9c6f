import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { positive, profiling } from './arguments';
import { takeCores } from './cores';
import { markdownTable } from './figures';
import { measureHerd, herdRows } from './herd';
import { herdChart, herdText } from './herd-chart';
import { describeMachine } from './machine';
import { root } from '../test/harness/root';
import { writeSections } from './report';
import { measureScale, type ScaleFigures } from './scale';
import { scaleTable } from './scale-table';
import type { Title } from './sections';
import { tenMillionText } from './ten-million';

const usage = `npm run bench:renewals -- [--scales 1000,10000,100000] [--ttl SECONDS] [--lifetimes NUMBER] [--replicas 1]
  [--chart [--clients 10000] [--ttl 30] [--lifetimes 12]] [--json] [--write] [--cpu-prof FOLDER]
  Renewals for each number of clients, with lives scaled down so that the whole takes twenty minutes. In full form:
    --scales 100000 --ttl 300 --lifetimes 3
  --chart: clients started at once, and how their provider sees it, in place of that
  --write puts the figures into docs/performance.md, and the chart into docs/herd.svg`;

/** Up to 770 renewals a second; of a life below 4 s, the quarter from renewal to end is no longer than some ticks. */
const plans: Record<number, { ttlSeconds: number; lifetimes: number }> = {
  1_000: { ttlSeconds: 4, lifetimes: 10 },
  10_000: { ttlSeconds: 20, lifetimes: 3 },
  100_000: { ttlSeconds: 200, lifetimes: 3 },
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      scales: { type: 'string', default: Object.keys(plans).join(',') },
      clients: { type: 'string', default: '10000' },
      ttl: { type: 'string' },
      lifetimes: { type: 'string' },
      replicas: { type: 'string', default: '1' },
      chart: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      'cpu-prof': { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void console.log(usage);
  const number = (name: string, text: string): number => positive(name, text, usage);
  const cores = takeCores();
  const shared = {
    replicas: number('replicas', values.replicas),
    cores,
    say: (line: string) => console.error(line),
    nodeOptions: profiling(values['cpu-prof']),
  };
  const ttl = values.ttl === undefined ? undefined : number('ttl', values.ttl);
  const lifetimes = values.lifetimes === undefined ? undefined : number('lifetimes', values.lifetimes);

  const sections: Partial<Record<Title, string>> = {};
  let figures: unknown;
  if (values.chart) {
    const clients = number('clients', values.clients);
    const herd = await measureHerd({ ...shared, clients, ttlSeconds: ttl ?? 30, lives: lifetimes ?? 12 });
    sections['Ten thousand at once'] = `${herdText(herd)}\n\n${markdownTable(herdRows(herd))}`;
    if (values.write) writeFileSync(join(root, 'docs', 'herd.svg'), herdChart(herd));
    figures = herd;
  } else {
    const all: ScaleFigures[] = [];
    for (const text of values.scales.split(',')) {
      const clients = number('scales', text);
      const plan = plans[clients] ?? { ttlSeconds: Math.max(3, clients / 500), lifetimes: 3 };
      const chosen = { ttlSeconds: ttl ?? plan.ttlSeconds, lifetimes: lifetimes ?? plan.lifetimes };
      all.push(await measureScale({ ...shared, clients, ...chosen }));
    }
    sections['Renewals at scale'] = scaleTable(all);
    sections['Ten million clients'] = tenMillionText(all.at(-1)!);
    figures = all;
  }

  const machine = describeMachine(cores);
  if (values.json) console.log(JSON.stringify({ machine, figures }, null, 2));
  else for (const [title, text] of Object.entries(sections)) console.log(`\n## ${title}\n\n${text}`);
  if (values.write) {
    const command = ['npm run bench:renewals --', ...process.argv.slice(2)].join(' ');
    await writeSections(sections, { command, machine });
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
