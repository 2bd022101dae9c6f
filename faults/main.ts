import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { provisionerVariable, runPidVariable } from '../test/harness/provisioned';
import { startProvisioner } from '../test/harness/provisioner';
import { perform } from './random/perform';
import { describePlan, planOf } from './random/plan';
import { type Play, play, type Result } from './run';
import { nameOf } from './row';
import { resultTable, total } from './table';
import { rows } from './rows/all';

const usage = `npm run faults -- [--row 9]... | [--random 20] [--seed 1], [--jobs 2] [--keep FOLDER] [--json]
  --row     only these rows of the matrix; all of them otherwise
  --random  in place of the rows: so many fleets, loads and schedules of faults, drawn from the seeds from --seed on
  --jobs    so many at a time, each on a rig and in a process of its own
  --keep    writes down the records of those that pass, too`;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      row: { type: 'string', multiple: true, default: [] },
      random: { type: 'string' },
      seed: { type: 'string' },
      jobs: { type: 'string', default: String(Math.min(2, cpus().length)) },
      keep: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void console.log(usage);
  const { random, seed = random === undefined ? undefined : String(Date.now() % 1_000_000) } = values;
  const plays = seed === undefined ? chosenRows(values.row) : seeded(Number(seed), Number(random ?? 1));

  // A process that was started for one of several finds what the first one has provided.
  const provisioner = process.env[provisionerVariable] ? undefined : await startProvisioner({ built: true });
  if (provisioner) {
    process.env[provisionerVariable] = provisioner.address;
    process.env[runPidVariable] = String(process.pid);
  }
  try {
    const one = plays.length === 1;
    const playOne = (each: Play): Promise<Result> => (one ? play(each, values.keep) : playApart(each, values.keep));
    const results = await inTurn(plays, Number(values.jobs), async (each) => {
      const result = await playOne(each);
      if (!values.json) console.error(`${result.pass ? 'pass' : 'FAIL'}  ${result.name}  ${result.seen}`);
      return result;
    });
    const passed = results.filter(({ pass }) => pass).length;
    if (values.json) console.log(JSON.stringify(results));
    else console.log(resultTable(results), `\n${total(results)}`);
    if (passed < results.length) process.exitCode = 1;
  } finally {
    await provisioner?.stop();
  }
}

function chosenRows(numbers: string[]): Play[] {
  const unknown = numbers.filter((number) => !rows.some((row) => nameOf(row) === number));
  if (unknown.length > 0) throw new Error(`--row ${unknown.join(', ')}: there is no such row\n${usage}`);
  const chosen = rows.filter((row) => numbers.length === 0 || numbers.includes(nameOf(row)));
  return chosen.map((row) => ({ ...row, name: `row ${nameOf(row)}` }));
}

function seeded(first: number, count: number): Play[] {
  if (!Number.isInteger(first) || !(count > 0)) throw new Error(`--seed and --random are whole numbers\n${usage}`);
  return Array.from({ length: count }, (_, index) => {
    const plan = planOf(first + index);
    const expected = `every invariant holds; again with npm run faults -- --seed ${plan.seed}`;
    return { name: `seed ${plan.seed}`, inject: describePlan(plan), expected, run: (scene) => perform(scene, plan) };
  });
}

/** In a process of its own: what hangs or falls there takes nothing with it, and two of them use two cores. */
async function playApart(each: Play, keepIn: string | undefined): Promise<Result> {
  const [flag, value] = each.name.split(' ') as [string, string];
  const keep = keepIn === undefined ? [] : ['--keep', keepIn];
  const child = spawn(process.execPath, [__filename, `--${flag}`, value, '--json', ...keep], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [told, [code]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  try {
    const [result] = JSON.parse(told) as [Result];
    return result;
  } catch {
    const { name, inject, expected } = each;
    return {
      ...{ name, inject, expected, pass: false, seconds: 0 },
      seen: `its process ended with ${code}`,
      lines: [told],
    };
  }
}

async function inTurn<T, U>(items: T[], atOnce: number, work: (item: T) => Promise<U>): Promise<U[]> {
  const results: U[] = [];
  const left = items.entries();
  const takeSome = async (): Promise<void> => {
    for (const [index, item] of left) results[index] = await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, takeSome));
  return results;
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
