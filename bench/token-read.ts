import type { Cores } from './cores';
import { median, type Row, spread } from './figures';
import { applyLoad, type LoadResult } from './load';
import { cpuSeconds, type Program, residentMb, startProgram } from './program';
import { startRig } from './rig';

export interface TokenReadOptions {
  rounds: number;
  seconds: number;
  connections: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  /** For the broker: `--cpu-prof` tells where its time goes. */
  nodeOptions: string[];
}

interface Sample extends LoadResult {
  requestsPerCpuSecond: number;
  /** Share of its core that the server had; well below 1: neighbours or the load generator set the pace. */
  busy: number;
}

const client = 'bench-reader';
const warmUpSeconds = 2;
/** Of its own accord, the same in every server. */
const nodeWrites = ['date', 'connection', 'keep-alive'];

/** Token reads from the in-process cache, beside servers that answer the same bytes and check nothing. */
export async function measureTokenReads(options: TokenReadOptions): Promise<Row[]> {
  const { cores, say, connections } = options;
  const rig = await startRig(cores, options.nodeOptions);
  const running: Program[] = [];
  try {
    const idleMb = residentMb(rig.broker.pid);
    await rig.api.registerClient(client, { ttlSeconds: 3_600, verify: true, longToken: true });
    const key = await rig.api.grantedKey('bench', client);
    const headers = { authorization: `Bearer ${key}` };
    const path = `/v1/clients/${client}/token`;
    const answer = await rig.api.readToken(client, key);
    for (const name of nodeWrites) delete answer.headers[name];
    const env = { BENCH_ANSWER: JSON.stringify(answer), REDIS_URL: rig.redisUrl };
    const start = async (name: string): Promise<Program> => {
      const server = await startProgram(`bench/servers/${name}.js`, env, cores?.server);
      running.push(server);
      return server;
    };
    const contenders: Record<string, Program> = {
      broker: rig.broker,
      bare: await start('bare-http'),
      fastify: await start('fastify-constant'),
      redisGet: await start('redis-get'),
    };
    say(`token reads: a body of ${answer.body.length} bytes, ${connections} connections`);

    const samples: Record<string, Sample[]> = {};
    for (const server of Object.values(contenders)) await sample(server, warmUpSeconds);
    for (let round = 1; round <= options.rounds; round++) {
      for (const [name, server] of Object.entries(contenders)) {
        const taken = await sample(server, options.seconds);
        (samples[name] ??= []).push(taken);
        const rate = Math.round(taken.requestsPerSecond);
        say(`  round ${round} ${name}: ${rate} requests/s, busy ${(taken.busy * 100).toFixed(0)} %`);
      }
    }
    const half = median(samples['broker']!.map(({ requestsPerSecond }) => requestsPerSecond)) / 2;
    const atHalf: LoadResult[] = [];
    for (let round = 1; round <= options.rounds; round++) {
      const load = { url: rig.broker.url + path, headers, seconds: options.seconds, connections };
      atHalf.push(await applyLoad({ ...load, ratePerSecond: half }));
    }
    return rows(samples, atHalf, half, idleMb);

    async function sample({ url, pid }: Program, seconds: number): Promise<Sample> {
      const [cpu, at] = [cpuSeconds(pid), performance.now()];
      const result = await applyLoad({ url: url + path, headers, seconds, connections });
      const [used, elapsed] = [cpuSeconds(pid) - cpu, (performance.now() - at) / 1_000];
      const requestsPerCpuSecond = (result.requestsPerSecond * elapsed) / used;
      return { ...result, requestsPerCpuSecond, busy: used / elapsed };
    }
  } finally {
    for (const server of running) await server.stop();
    await rig.stop();
  }
}

function rows(samples: Record<string, Sample[]>, atHalf: LoadResult[], half: number, idleMb: number): Row[] {
  const of = (name: string, pick: keyof Sample): number[] => samples[name]!.map((taken) => taken[pick]);
  // Round by round, so that a neighbour who slows the machine for a minute slows both sides of a ratio.
  const ratio = (other: string, pick: keyof Sample): Pick<Row, 'figure' | 'lowest' | 'highest'> =>
    spread(of('broker', pick).map((value, round) => value / of(other, pick)[round]!));
  const against = (measure: string, other: string, atLeast?: number): Row[] => [
    { measure, ...ratio(other, 'requestsPerSecond'), unit: '', ...(atLeast !== undefined && { bar: { atLeast } }) },
    { measure: `… the same per second of the server's CPU`, ...ratio(other, 'requestsPerCpuSecond'), unit: '' },
  ];
  const absolute = (measure: string, name: string): Row[] => {
    const busy = `its core ${(median(of(name, 'busy')) * 100).toFixed(0)} % busy`;
    return [{ measure, ...spread(of(name, 'requestsPerSecond')), unit: 'requests/s', note: busy }];
  };
  const rate = `${Math.round(half).toLocaleString('en-US')}/s`;
  return [
    ...against('token read from the in-process cache / bare `node:http` constant', 'bare', 0.9),
    ...against('token read / node + ioredis GET', 'redisGet', 2),
    ...against('token read / Fastify route returning a constant', 'fastify'),
    ...absolute('token read', 'broker'),
    ...absolute('bare `node:http` constant', 'bare'),
    ...absolute('Fastify constant', 'fastify'),
    ...absolute('node + ioredis GET', 'redisGet'),
    {
      measure: 'latency at half load, p50',
      ...spread(atHalf.map((r) => r.p50)),
      unit: 'ms',
      bar: { atMost: 1 },
      note: rate,
    },
    {
      measure: 'latency at half load, p99',
      ...spread(atHalf.map((r) => r.p99)),
      unit: 'ms',
      bar: { atMost: 5 },
      note: rate,
    },
    { measure: 'resident memory, just started', figure: idleMb, unit: 'MB', bar: { atMost: 150 } },
  ];
}
