import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { root } from '../test/harness/root';
import { BrokerApi } from './broker-api';
import { bulkEnv, untilIssued } from './bulk-provider';
import { type Answer, withoutNodesOwn } from './contenders';
import type { Cores } from './cores';
import { grantAll, registerCrowd } from './crowd';
import { type Row, spread } from './figures';
import { applyLoad } from './load';
import { type Program, residentMb, startProgram } from './program';
import { type Ground, startGround } from './rig';
import { sample, type Sample } from './sample';

export interface ColdReadOptions {
  rounds: number;
  connections: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  nodeOptions: string[];
}

const clients = 10_000;
const fewClients = 2_500;
/** A token in memory is looked up in Redis again after 10 s, even if no news of it came. */
const coldAfterMs = 10_200;
const settleMs = 10_000;
/** V8 collects the garbage of a start by itself 8 to 10 s after it, when it sees that nothing more comes. */
const restMs = 15_000;
const collectMs = 5_000;
const lifeSeconds = 3_600;

/** What a replica takes up with and without tokens, and reads of tokens that it has to ask Redis about. */
export async function measureColdReads(options: ColdReadOptions): Promise<Row[]> {
  const { cores, say, rounds, connections } = options;
  const nodeOptions = [...options.nodeOptions, '--require', join(root, 'dist/bench/servers/collect-garbage.js')];
  const ground = await startGround({ cores, nodeOptions, simulatorEnv: bulkEnv(lifeSeconds) });
  let other: Program | undefined;
  try {
    say(`cold reads: ${clients} clients get their first tokens`);
    await registerCrowd(ground, clients, () => 4_000 + Math.random() * 15_000);
    const renewing = await ground.startBroker();
    await untilIssued(ground, clients, 120_000);
    await renewing.stop();

    const broker = await ground.startBroker();
    await delay(restMs);
    const idleMb = residentMb(broker.pid);
    const api = new BrokerApi(broker.url, ground.adminKey, ground.simulator.url);
    const key = await api.grantedKey('bench', 'bench-0');
    await grantAll(ground, 'bench');
    const load = { headers: { authorization: `Bearer ${key}` }, connections };
    const paths = Array.from({ length: clients }, (_, i) => `/v1/clients/bench-${i}/token`);
    await applyLoad({ ...load, url: broker.url, paths: paths.slice(0, fewClients) });
    await delay(settleMs);
    const ofFew = await memory(broker);
    await applyLoad({ ...load, url: broker.url, paths });
    await delay(settleMs);
    const ofAll = await memory(broker);
    const perThousandMb = (pick: keyof Memory) => ((ofAll[pick] - ofFew[pick]) / (clients - fewClients)) * 1_000;

    const answer = await api.readToken('bench-0', key);
    other = await startRedisGet(ground, paths, answer, cores);
    const [cold, gets]: [Sample[], Sample[]] = [[], []];
    for (let round = 1; round <= rounds; round++) {
      const from = performance.now();
      gets.push(await sample(other, { ...load, paths: [...paths, ...paths] }));
      await delay(coldAfterMs - (performance.now() - from));
      cold.push(await sample(broker, { ...load, paths }));
      const [coldRate, getRate] = [cold, gets].map((all) => Math.round(all.at(-1)!.requestsPerSecond));
      say(`  round ${round}: cold ${coldRate}/s, node + ioredis ${getRate}/s`);
    }
    const ratio = (pick: keyof Sample) => spread(cold.map((one, i) => one[pick] / gets[i]![pick]));
    const rates = (all: Sample[]) => ({ ...spread(all.map((one) => one.requestsPerSecond)), unit: 'requests/s' });
    return [
      {
        measure: 'token read from Redis / node + ioredis GET',
        ...ratio('requestsPerSecond'),
        unit: '',
        bar: { atLeast: 0.9 },
      },
      { measure: `… the same per second of the server's CPU`, ...ratio('requestsPerCpuSecond'), unit: '' },
      {
        measure: 'token read from Redis',
        ...rates(cold),
        note: `each of ${clients.toLocaleString('en-US')} once: is it still the latest?`,
      },
      { measure: 'node + ioredis GET', ...rates(gets) },
      { measure: 'resident memory at rest', figure: idleMb, unit: 'MB', bar: { atMost: 150 } },
      { measure: '… for each 1,000 tokens in memory', figure: perThousandMb('heldMb'), unit: 'MB', bar: { atMost: 3 } },
      { measure: '… the same, with the garbage of reading', figure: perThousandMb('withGarbageMb'), unit: 'MB' },
    ];
  } finally {
    await other?.stop();
    await ground.stop();
  }
}

interface Memory {
  heldMb: number;
  withGarbageMb: number;
}

/** Resident, after a collection of garbage and before. When V8 makes one is chance, and weighs as much as the tokens do. */
async function memory({ pid }: Program): Promise<Memory> {
  const withGarbageMb = residentMb(pid);
  process.kill(pid, 'SIGUSR2');
  await delay(collectMs);
  return { heldMb: residentMb(pid), withGarbageMb };
}

/** The same bytes for each path, under a key of its own. */
async function startRedisGet(
  { redisUrl }: Ground,
  paths: string[],
  answer: Answer,
  cores: Cores | undefined,
): Promise<Program> {
  const redis = new Redis(redisUrl);
  await Promise.all(paths.map((path) => redis.set(path, answer.body))).finally(() => redis.disconnect());
  const env = { BENCH_ANSWER: JSON.stringify(withoutNodesOwn(answer)), REDIS_URL: redisUrl };
  return startProgram('bench/servers/redis-get.js', env, cores?.server);
}
