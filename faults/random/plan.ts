import { Draw } from './draw';

/** What can be injected at any time without keeping another fault from being judged. */
export type Step =
  | { kind: 'kill'; broker: number }
  | { kind: 'freeze'; broker: number }
  | { kind: 'clock'; broker: number; shiftMs: number }
  | { kind: 'cutRedis'; broker: number; how: 'cut' | 'hold' | 'hush' }
  | { kind: 'freezeRedis' | 'restartRedis' | 'flushRedis' | 'flushScripts' | 'cutPostgres' }
  | { kind: 'provider'; clients: string[] | 'all'; modes: object }
  | { kind: 'rotate' | 'remove' | 'disable'; client: string };

export type PlannedStep = Step & { atMs: number; lastsMs: number };

export interface Plan {
  seed: number;
  brokers: number;
  clients: { name: string; lifeSeconds: number; provider: 'capillary' | 'own' | 'counted' }[];
  loadMs: number;
  steps: PlannedStep[];
}

/** Of the provider `counted`; more than its clients need, as long as nothing goes wrong. */
export const countedQuota = { requests: 12, per_s: 5 };

/** A fleet and a schedule of faults, the same ones for the same seed. */
export function planOf(seed: number): Plan {
  const draw = new Draw(seed);
  const brokers = draw.between(1, 4);
  const clients = Array.from({ length: draw.between(3, 30) }, (_, index) => ({
    name: `c${index}`,
    lifeSeconds: draw.between(4, 20),
    provider: draw.one(['capillary', 'capillary', 'own', 'counted'] as const),
  }));
  const loadMs = draw.between(30_000, 50_000);
  const wanted = draw.between(3, 8);
  const steps: PlannedStep[] = [];
  for (let tries = 0; steps.length < wanted && tries < 200; tries += 1) {
    const step = drawStep(draw, brokers, clients);
    const [atMs, lastsMs] = [draw.between(3_000, loadMs - 3_000), draw.between(...lasting[step.kind])];
    const planned = { ...step, atMs, lastsMs: Math.min(lastsMs, loadMs - atMs) };
    if (steps.every((other) => canBeTold(other, planned))) steps.push(planned);
  }
  return { seed, brokers, clients, loadMs, steps: steps.toSorted((a, b) => a.atMs - b.atMs) };
}

const kinds: Step['kind'][] = [
  ...(['kill', 'freeze', 'clock', 'cutRedis', 'freezeRedis', 'restartRedis', 'flushRedis', 'flushScripts'] as const),
  ...(['cutPostgres', 'provider', 'provider', 'rotate', 'remove', 'disable'] as const),
];

const lasting: { [Kind in Step['kind']]: [number, number] } = {
  kill: [500, 3_000],
  freeze: [1_000, 18_000],
  clock: [3_000, 15_000],
  cutRedis: [500, 10_000],
  freezeRedis: [500, 10_000],
  restartRedis: [300, 5_000],
  flushRedis: [0, 0],
  flushScripts: [0, 0],
  cutPostgres: [1_000, 15_000],
  provider: [500, 8_000],
  rotate: [0, 0],
  remove: [0, 0],
  disable: [1_000, 6_000],
};

const misbehaviours: object[] = [
  { outage: 500 },
  { outage: { status: 503, body: 'html' } },
  { silence: true },
  { reset_before_headers: true },
  { reset_after_headers: true },
  { reset_after_issuing: { times: 3 } },
  { throttle: { seconds: 2 } },
  { throttle: { retry_after: 'absent' } },
  { html_200: true },
  { empty_200: true },
  { truncated: true },
  { latency_ms: 700 },
];

function drawStep(draw: Draw, brokers: number, clients: Plan['clients']): Step {
  const kind = draw.one(kinds);
  const broker = draw.between(0, brokers - 1);
  const client = draw.one(clients).name;
  const names = clients.map(({ name }) => name);
  switch (kind) {
    case 'kill':
    case 'freeze':
      return { kind, broker };
    case 'clock':
      return { kind, broker, shiftMs: draw.one([-1, 1]) * draw.between(5, 600) * 1_000 };
    case 'cutRedis':
      return { kind, broker, how: draw.one(['cut', 'hold', 'hush'] as const) };
    case 'provider':
      return { kind, clients: draw.unit() < 0.5 ? 'all' : draw.some(names), modes: draw.one(misbehaviours) };
    case 'rotate':
    case 'remove':
    case 'disable':
      return { kind, client };
    default:
      return { kind };
  }
}

/** What a step needs for itself: two that need the same thing are not injected at the same time. */
function needs(step: Step): string[] {
  switch (step.kind) {
    case 'kill': // and its successor has to start
      return [`broker ${step.broker}`, 'postgres', 'admin'];
    case 'freeze': // of the only one, maybe
      return [`broker ${step.broker}`, 'admin'];
    case 'clock':
      return [`broker ${step.broker}`];
    case 'cutRedis':
      return [`broker ${step.broker}`, 'redis'];
    case 'freezeRedis':
    case 'restartRedis':
    case 'flushRedis':
    case 'flushScripts':
      return ['redis', 'admin'];
    case 'cutPostgres':
      return ['postgres', 'admin'];
    case 'provider':
      return ['provider'];
    case 'rotate': // tried at the provider
      return ['admin', 'provider', 'redis', 'postgres', step.client];
    case 'remove':
    case 'disable':
      return ['admin', 'redis', 'postgres', step.client];
  }
}

/** What a fault leaves behind for the next one of its kind. */
const pauseMs = 2_000;

function canBeTold(one: PlannedStep, other: PlannedStep): boolean {
  // A client changes once only.
  if ('client' in one && 'client' in other && one.client === other.client) return false;
  const shared = needs(one).some((thing) => needs(other).includes(thing));
  const apart = one.atMs + one.lastsMs + pauseMs < other.atMs || other.atMs + other.lastsMs + pauseMs < one.atMs;
  return !shared || apart;
}

/** In words, for who replays it. */
export function describePlan({ brokers, clients, loadMs, steps }: Plan): string {
  const faults = steps.map(({ atMs, lastsMs, kind, ...step }) => {
    const more = Object.entries(step).map(([name, value]) => ` ${name} ${JSON.stringify(value)}`);
    return `${(atMs / 1_000).toFixed(1)} s ${kind}${more.join('')}${lastsMs > 0 ? ` for ${(lastsMs / 1_000).toFixed(1)} s` : ''}`;
  });
  return `${brokers} brokers, ${clients.length} clients, ${Math.round(loadMs / 1_000)} s: ${faults.join('; ')}`;
}
