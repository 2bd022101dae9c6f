import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from '../test/harness/root';
import { BrokerApi } from './broker-api';
import { bulkEnv, readBulk, untilIssued } from './bulk-provider';
import type { Cores } from './cores';
import { registerCrowd } from './crowd';
import { median, type Row, spread } from './figures';
import type { Program } from './program';
import { type Ground, startGround } from './rig';
import { renewedAtShare } from './scale';
import { applySteadyLoad, type SteadyResult } from './steady-load';

export interface StrainOptions {
  rounds: number;
  seconds: number;
  connections: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  nodeOptions: string[];
}

/** As 100,000 clients make whose tokens live for 300 s. */
const renewalsPerSecond = 500;
const lifeSeconds = 20;
/** What services read meanwhile: the same at rest and under strain. */
const readsPerSecond = 2_000;
const floodConnections = 64;
/** One waits for its late answers; the other opens a new connection for its next attempt instead. */
const floods = [
  { name: 'a flood of bad keys', patienceMs: 0 },
  { name: 'a flood that hangs up', patienceMs: 50 },
];
/** What came due while a replica was halted is renewed within this time. */
const catchUpMs = 4_000;
const bar = { atMost: 1.5 };

/** How long those wait who have done nothing wrong: while much is renewed, and while somebody guesses keys. */
export async function measureStrain(options: StrainOptions): Promise<Row[]> {
  return [...(await whileRenewing(options)), ...(await whileFlooded(options))];
}

interface Reader {
  broker: Program;
  read(): Promise<SteadyResult>;
}

async function startReader(ground: Ground, client: string, options: StrainOptions): Promise<Reader> {
  const broker = await ground.startBroker();
  const api = new BrokerApi(broker.url, ground.adminKey, ground.simulator.url);
  if (client === 'bench-reader') await api.registerClient(client, { ttlSeconds: 3_600, verify: true, longToken: true });
  const key = await api.grantedKey('bench', client);
  const { connections, seconds } = options;
  const load = { url: broker.url, path: `/v1/clients/${client}/token`, headers: { authorization: `Bearer ${key}` } };
  return { broker, read: () => applySteadyLoad({ ...load, connections, seconds, ratePerSecond: readsPerSecond }) };
}

/** Two replicas that share nothing but a core, in turn: one has nothing to renew, the other is halted meanwhile. */
async function whileRenewing(options: StrainOptions): Promise<Row[]> {
  const { cores, nodeOptions, say, rounds, seconds } = options;
  const quiet = await startGround({ cores, nodeOptions });
  const busy = await startGround({ cores, nodeOptions, simulatorEnv: bulkEnv(lifeSeconds) });
  try {
    const crowd = Math.round(renewalsPerSecond * renewedAtShare * lifeSeconds);
    await registerCrowd(busy, crowd, () => 4_000 + Math.random() * renewedAtShare * lifeSeconds * 1_000);
    const atRest = await startReader(quiet, 'bench-reader', options);
    const renewing = await startReader(busy, 'bench-0', options);
    await untilIssued(busy, crowd, 60_000);
    const rates: number[] = [];
    const { at, under } = await inTurn(rounds, say, {
      atRest: async () => {
        process.kill(renewing.broker.pid, 'SIGSTOP');
        return atRest.read().finally(() => process.kill(renewing.broker.pid, 'SIGCONT'));
      },
      under: async () => {
        await delay(catchUpMs);
        const { issued } = await readBulk(busy);
        const read = await renewing.read();
        rates.push(((await readBulk(busy)).issued - issued) / seconds);
        return read;
      },
    });
    return rowsOf('renewals', `${Math.round(median(rates))} renewals/s`, at, under);
  } finally {
    await busy.stop();
    await quiet.stop();
  }
}

async function whileFlooded(options: StrainOptions): Promise<Row[]> {
  const { cores, nodeOptions } = options;
  const ground = await startGround({ cores, nodeOptions });
  try {
    const reader = await startReader(ground, 'bench-reader', options);
    const rows: Row[] = [];
    for (const flood of floods) rows.push(...(await underFlood(reader, flood, options)));
    return rows;
  } finally {
    await ground.stop();
  }
}

async function underFlood(reader: Reader, flood: (typeof floods)[number], options: StrainOptions): Promise<Row[]> {
  const { say, rounds, seconds } = options;
  const found: FloodCounts[] = [];
  const { at, under } = await inTurn(rounds, say, {
    atRest: () => reader.read(),
    under: async () => {
      const args = [reader.broker.url, '/v1/clients/bench-reader/token', floodConnections, flood.patienceMs].map(
        String,
      );
      const program = fork(join(root, 'dist/bench/flood.main.js'), args);
      try {
        const before = await countsOf(program);
        const read = await reader.read();
        const after = await countsOf(program);
        found.push({ sent: after.sent - before.sent, refused: after.refused - before.refused });
        return read;
      } finally {
        program.kill();
      }
    },
  });
  const rate = (count: keyof FloodCounts): number => Math.round(median(found.map((counts) => counts[count])) / seconds);
  const note = `${floodConnections} connections, ${rate('sent')} attempts/s, ${rate('refused')} refused/s`;
  return rowsOf(flood.name, note, at, under);
}

interface FloodCounts {
  sent: number;
  refused: number;
}

/** As they are now: what a process sends while nobody listens is kept, and would be read later as if it were new. */
async function countsOf(flood: ChildProcess): Promise<FloodCounts> {
  const answer = once(flood, 'message');
  flood.send('counts');
  const [counts] = (await answer) as [FloodCounts];
  return counts;
}

async function inTurn(
  rounds: number,
  say: (line: string) => void,
  { atRest, under }: { atRest: () => Promise<SteadyResult>; under: () => Promise<SteadyResult> },
): Promise<{ at: SteadyResult[]; under: SteadyResult[] }> {
  const found: { at: SteadyResult[]; under: SteadyResult[] } = { at: [], under: [] };
  await atRest(); // to warm up
  await under();
  for (let round = 1; round <= rounds; round++) {
    found.at.push(await atRest());
    found.under.push(await under());
    const told = [found.at, found.under].map((all) => `${all.at(-1)!.p99.toFixed(2)} ms`);
    say(`  round ${round}: p99 ${told[0]} at rest, ${told[1]} under strain`);
  }
  return found;
}

function rowsOf(strain: string, about: string, at: SteadyResult[], under: SteadyResult[]): Row[] {
  const note = `${about}; by ${at[0]!.generator}`;
  const p99 = (all: SteadyResult[]): number[] => all.map((read) => read.p99);
  const ratio = spread(p99(under).map((value, round) => value / p99(at)[round]!));
  return [
    { measure: `token read p99 during ${strain} / at rest`, ...ratio, unit: '', bar, note },
    { measure: `… p99 during ${strain}`, ...spread(p99(under)), unit: 'ms' },
    { measure: '… p99 at rest', ...spread(p99(at)), unit: 'ms' },
  ];
}
