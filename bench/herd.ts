import { setTimeout as delay } from 'node:timers/promises';
import { bulkEnv, readBulk } from './bulk-provider';
import type { Cores } from './cores';
import { registerCrowd } from './crowd';
import type { Row } from './figures';
import { startGround } from './rig';

export interface HerdOptions {
  clients: number;
  /** Life of each token. */
  ttlSeconds: number;
  /** Watched for so long. */
  lives: number;
  replicas: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  nodeOptions: string[];
}

export interface Herd {
  clients: number;
  ttlSeconds: number;
  /** Calls of the provider in each second, from the first. */
  callsPerSecond: number[];
  /** Two renewals of every client, at the latest. */
  twoCyclesSeconds: number;
  /** After these two cycles. */
  mean: number;
  peak: number;
}

/** Every client due at once, when no token is there: does the herd come back with every life of a token? */
export async function measureHerd({
  clients,
  ttlSeconds,
  lives,
  replicas,
  say,
  ...options
}: HerdOptions): Promise<Herd> {
  const ground = await startGround({ ...options, simulatorEnv: bulkEnv(ttlSeconds) });
  try {
    say(`herd: registering ${clients} clients of ${ttlSeconds} s, all due now; then watching for ${lives} lives`);
    const first = await ground.startBroker(); // makes the tables
    await first.stop();
    await registerCrowd(ground, clients, () => 0);
    await Promise.all(Array.from({ length: replicas }, () => ground.startBroker()));
    await delay(lives * ttlSeconds * 1_000);
    const { calls_per_second: counts } = await readBulk(ground);
    const callsPerSecond = counts.slice(0, -1); // the last second is not over
    const twoCyclesSeconds = Math.ceil(2 * 0.7 * ttlSeconds);
    const after = callsPerSecond.slice(twoCyclesSeconds);
    const mean = after.reduce((sum, calls) => sum + calls, 0) / after.length;
    return { clients, ttlSeconds, callsPerSecond, twoCyclesSeconds, mean, peak: Math.max(...after) };
  } finally {
    await ground.stop();
  }
}

export function herdRows({ callsPerSecond, twoCyclesSeconds, ttlSeconds, mean, peak }: Herd): Row[] {
  const inTheFirst = Math.max(...callsPerSecond.slice(0, twoCyclesSeconds));
  const later = callsPerSecond.slice(4 * ttlSeconds);
  return [
    { measure: 'provider calls, the peak of the first two cycles', figure: inTheFirst, unit: '/s' },
    { measure: 'provider calls after two cycles, the mean', figure: mean, unit: '/s' },
    {
      measure: 'provider calls after two cycles, the peak of a second / the mean',
      figure: peak / mean,
      unit: '',
      bar: { atMost: 1.3 },
    },
    ...(later.length > 0
      ? [{ measure: '… the same after four lives', figure: Math.max(...later) / mean, unit: '' }]
      : []),
  ];
}
