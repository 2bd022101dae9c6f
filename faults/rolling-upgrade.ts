import { parseArgs } from 'node:util';
import { provisionerVariable, runPidVariable } from '../test/harness/provisioned';
import { startProvisioner } from '../test/harness/provisioner';
import { buildOld } from './old-build';
import { lifeSeconds, type Replica, startRollingFleet } from './rolling-fleet';

const usage = `node dist/faults/rolling-upgrade.js --from <commit, branch or tag> [--seconds 15]
  Replaces a fleet of that version by one of this version and back again, one replica at a time, under load.
  --seconds  that pass between two steps`;

const clients = Array.from({ length: 12 }, (_, i) => `client-${i}`);
const oldest = 'old';
const newest = 'new';

interface Check {
  what: string;
  seen: string;
  pass: boolean;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { from: { type: 'string' }, seconds: { type: 'string', default: '15' } } });
  if (!values.from) throw new Error(usage);
  const pauseMs = Number(values.seconds) * 1_000;
  const provisioner = await startProvisioner({ built: true });
  process.env[provisionerVariable] = provisioner.address;
  process.env[runPidVariable] = String(process.pid);
  const old = await buildOld(values.from);
  try {
    const fleet = await startRollingFleet();
    try {
      const checks = await roll(fleet, old.script, pauseMs, (line) => console.error(line));
      for (const { what, seen, pass } of checks) console.log(`${pass ? 'pass' : 'FAIL'}  ${what}: ${seen}`);
      console.log(`${old.commit} -> this version -> ${old.commit}`);
      if (!checks.every(({ pass }) => pass)) process.exitCode = 1;
    } finally {
      await fleet.stop();
    }
  } finally {
    old.remove();
    await provisioner.stop();
  }
}

type RollingFleet = Awaited<ReturnType<typeof startRollingFleet>>;

async function roll(
  fleet: RollingFleet,
  oldScript: string,
  pauseMs: number,
  say: (line: string) => void,
): Promise<Check[]> {
  const pass = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, pauseMs));
  const codes: (number | null)[] = [];
  const start = (version: string) => fleet.add(version, version === oldest ? oldScript : undefined);
  const replace = async (before: Replica, version: string): Promise<void> => {
    await start(version);
    codes.push(await fleet.end(before));
    say(`now ${fleet.live().map((replica) => replica.version)}`);
    await pass();
  };
  await start(oldest);
  await start(oldest);
  await fleet.addClients(clients);
  const begunAt = Date.now();
  fleet.begin(clients);
  await pass();
  for (const version of [newest, oldest]) for (const before of fleet.live()) await replace(before, version);
  await fleet.rest();
  const seconds = (Date.now() - begunAt) / 1_000;
  return [...checkReads(fleet), ...(await checkCalls(fleet, seconds)), ...checkProcesses(fleet, codes)];
}

function checkReads({ reads, retries, replicas }: RollingFleet): Check[] {
  const failed = reads.filter(({ status }) => status !== 200);
  const example = failed[0] && ` ${JSON.stringify(failed[0])}`;
  const regressed = replicas.flatMap(({ index }) =>
    clients.filter((client) => {
      const seen = reads.filter((read) => read.broker === index && read.client === client && read.status === 200);
      return seen.some((read, i) => i > 0 && read.generation < seen[i - 1]!.generation);
    }),
  );
  const refused = [oldest, newest].map((of) => `${retries.filter(({ version }) => version === of).length} by ${of}`);
  return [
    {
      what: 'reads that failed',
      seen: `${failed.length} of ${reads.length}${example ?? ''}`,
      pass: failed.length === 0,
    },
    {
      what: 'connections refused by replicas in rotation (and asked of another)',
      seen: refused.join(', '),
      pass: retries.every(({ version }) => version !== newest),
    },
    { what: 'generations that went back at a replica', seen: `${regressed.length}`, pass: regressed.length === 0 },
  ];
}

/** One call for each 60 to 70 % of a life, and half a second for the tick and a busy machine; first and last in part. */
async function checkCalls({ control, reads, admin }: RollingFleet, seconds: number): Promise<Check[]> {
  const most = Math.ceil(seconds / (0.6 * lifeSeconds)) + 1;
  const least = Math.floor(seconds / (0.7 * lifeSeconds + 1)) - 1;
  const told = await Promise.all(clients.map((client) => control('GET', `/clients/key-of-${client}`)));
  const calls = told.map((client) => client.calls as number);
  const dead: unknown[] = [];
  const lastSeen = new Map(reads.flatMap(({ token, at }) => (token ? [[token, at] as const] : [])));
  for (const [token, at] of lastSeen) {
    if (!(await control('POST', '/tokens/inspect', { token, at })).alive) dead.push(token);
  }
  const { items } = await admin('GET', '/v1/clients?limit=100');
  const unwell = items.filter(({ condition }: { condition: string }) => condition !== 'fresh');
  return [
    {
      what: `calls per client in ${Math.round(seconds)} s, ${least} to ${most} expected`,
      seen: `${Math.min(...calls)} to ${Math.max(...calls)}`,
      pass: calls.every((count) => count >= least && count <= most),
    },
    { what: 'tokens served when they were dead', seen: `${dead.length} of ${lastSeen.size}`, pass: dead.length === 0 },
    {
      what: 'clients that are there and fresh at the end',
      seen: `${items.length - unwell.length} of ${clients.length}`,
      pass: items.length === clients.length && unwell.length === 0,
    },
  ];
}

function checkProcesses({ replicas }: RollingFleet, codes: (number | null)[]): Check[] {
  const lines = replicas.flatMap(({ version, running }) =>
    running
      .output()
      .split('\n')
      .filter((line) => /"level":(40|50|60)/.test(line))
      .map((line) => `${version}: ${line}`),
  );
  return [
    { what: 'exit codes', seen: codes.join(', '), pass: codes.every((code) => code === 0) },
    {
      what: 'warnings and errors in the logs',
      seen: [lines.length, ...lines.slice(0, 5)].join('\n      '),
      pass: lines.length === 0,
    },
  ];
}

main().catch((error: unknown) => {
  console.error(error instanceof Error && error.message === usage ? usage : error);
  process.exitCode = 1;
});
