import { type Contender, startContenders, withoutNodesOwn } from './contenders';
import type { Cores } from './cores';
import { median, readable, type Row, spread } from './figures';
import type { Program } from './program';
import { startRig } from './rig';
import { sample, type Sample } from './sample';
import { applySteadyLoad, type SteadyResult } from './steady-load';

export interface TokenReadOptions {
  rounds: number;
  seconds: number;
  connections: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  /** For the broker: `--cpu-prof` tells where its time goes. */
  nodeOptions: string[];
}

export interface TokenReadFigures {
  rows: Row[];
  /** For a chart: requests a second, the fastest first. */
  bars: { name: string; value: number }[];
}

const client = 'bench-reader';
const warmUpSeconds = 2;
const [broker, audited] = ['token read', 'token read, every read audited'];

/** Token reads from the in-process cache, beside servers that answer the same bytes and check nothing. */
export async function measureTokenReads(options: TokenReadOptions): Promise<TokenReadFigures> {
  const { cores, say, connections, rounds } = options;
  const rig = await startRig(cores, options.nodeOptions);
  const running: Program[] = [];
  const missing: string[] = [];
  try {
    await rig.api.registerClient(client, { ttlSeconds: 3_600, verify: true, longToken: true });
    const key = await rig.api.grantedKey('bench', client);
    const headers = { authorization: `Bearer ${key}` };
    const path = `/v1/clients/${client}/token`;
    const answer = withoutNodesOwn(await rig.api.readToken(client, key));
    const others = await startContenders(rig, { answer, path, cores, missing: (why) => missing.push(why) }, (server) =>
      running.push(server),
    );
    for (const why of missing) say(`left out: ${why}`);
    const own = { path, server: rig.broker };
    const auditing = { path, server: await rig.startBroker({ AUDIT_READS: 'true' }) };
    const all: Contender[] = [{ name: broker, ...own }, { name: audited, ...auditing }, ...others];
    say(`token reads: a body of ${answer.body.length} bytes, ${connections} connections`);

    const samples = new Map<string, Sample[]>(all.map(({ name }) => [name, []]));
    const load = { headers, connections };
    for (const one of all) await sample(one.server, { ...load, paths: [one.path], seconds: warmUpSeconds });
    for (let round = 1; round <= rounds; round++) {
      // Each comes after another one in the next round, so that nobody always follows the same neighbour.
      for (const contender of [...all.slice(round % all.length), ...all.slice(0, round % all.length)]) {
        const taken = await sample(contender.server, { ...load, paths: [contender.path], seconds: options.seconds });
        samples.get(contender.name)!.push(taken);
        const rate = Math.round(taken.requestsPerSecond);
        say(`  round ${round} ${contender.name}: ${rate} requests/s, busy ${(taken.busy * 100).toFixed(0)} %`);
      }
    }
    const half = median(samples.get(broker)!.map(({ requestsPerSecond }) => requestsPerSecond)) / 2;
    const atHalf: SteadyResult[] = [];
    for (let round = 1; round <= rounds; round++) {
      const steady = { ...load, url: rig.broker.url, path, seconds: options.seconds, ratePerSecond: half };
      atHalf.push(await applySteadyLoad(steady));
      const { p50, p99 } = atHalf.at(-1)!;
      say(`  round ${round} at half load: p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`);
    }
    const rates = all.map(({ name }) => ({
      name,
      value: median(samples.get(name)!.map((one) => one.requestsPerSecond)),
    }));
    return {
      rows: [...rows(all, samples), ...missing.map(notMeasured), ...latencyRows(atHalf, half)],
      bars: rates.toSorted((a, b) => b.value - a.value),
    };
  } finally {
    for (const server of running) await server.stop();
    await rig.stop();
  }
}

function rows(all: Contender[], samples: Map<string, Sample[]>): Row[] {
  const of = (name: string, pick: keyof Sample): number[] => samples.get(name)!.map((taken) => taken[pick]);
  // Round by round, so that a neighbour who slows the machine for a minute slows both sides of a ratio.
  const ratio = (one: string, other: string, pick: keyof Sample) =>
    spread(of(one, pick).map((value, round) => value / of(other, pick)[round]!));
  const against = all.slice(2).flatMap(({ name, bar }): Row[] => [
    { measure: `${broker} / ${name}`, ...ratio(broker, name, 'requestsPerSecond'), unit: '', ...(bar && { bar }) },
    { measure: `… the same per second of the server's CPU`, ...ratio(broker, name, 'requestsPerCpuSecond'), unit: '' },
  ]);
  const withAudit = { measure: `${audited} / not`, ...ratio(audited, broker, 'requestsPerSecond'), unit: '' };
  const absolute = all.map(({ name }): Row => {
    const note = `its core ${(median(of(name, 'busy')) * 100).toFixed(0)} % busy`;
    return { measure: name, ...spread(of(name, 'requestsPerSecond')), unit: 'requests/s', note };
  });
  return [...against, withAudit, ...absolute];
}

function notMeasured(why: string): Row {
  return { measure: 'not compared with', figure: NaN, unit: '', note: why };
}

function latencyRows(atHalf: SteadyResult[], half: number): Row[] {
  const sent = median(atHalf.map(({ requestsPerSecond }) => requestsPerSecond));
  const note = `${readable(sent)} of ${readable(half)}/s sent, by ${atHalf[0]!.generator}`;
  const row = (name: 'p50' | 'p99', atMost: number): Row => ({
    ...{ measure: `latency at half load, ${name}`, ...spread(atHalf.map((one) => one[name])), unit: 'ms' },
    ...{ bar: { atMost }, note },
  });
  return [row('p50', 1), row('p99', 5)];
}
