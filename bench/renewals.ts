import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Cores } from './cores';
import { readDatabase } from './database-readings';
import { type Row, spread } from './figures';
import { cpuSeconds } from './program';
import { readRedis, type RedisReading } from './redis-readings';
import { type Rig, startRig } from './rig';
import { quantileBetween, total } from './scrape';

export interface RenewalOptions {
  rounds: number;
  seconds: number;
  clients: number;
  /** Life of each token. They are renewed at 60 to 70 % of it: 1,000 clients of 3 s are 513 renewals a second. */
  ttlSeconds: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  nodeOptions: string[];
}

type Reading = RedisReading & { brokerCpuSeconds: number; at: number };

const lag = 'tokenbroker_renewal_lag_seconds';
/** By then the broker has noted when the admin key was last used, which is a row written and no renewal's doing. */
const quietAfterMs = 12_000;
const idleMs = 4_000;
/** Backends report to PostgreSQL's statistics at most once a second. */
const statisticsLagMs = 2_000;

/** Clients whose tokens are short-lived, one broker: what each renewal costs it, Redis and PostgreSQL. */
export async function measureRenewals(options: RenewalOptions): Promise<Row[]> {
  const { clients, say } = options;
  const rig = await startRig(options.cores, options.nodeOptions);
  const redis = new Redis(rig.redisUrl);
  try {
    const idle = await idleShare(rig, redis);
    say(`renewals: registering ${clients} clients of ${options.ttlSeconds} s`);
    const names = Array.from({ length: clients }, (_, i) => `bench-${i}`);
    await rig.api.registerClients(names, { ttlSeconds: options.ttlSeconds, longToken: false });
    await delay(quietAfterMs);

    const [issuedBefore, scrapeBefore] = [await rig.api.issuedTokens(), await rig.api.metrics()];
    await delay(statisticsLagMs);
    const databaseBefore = await readDatabase(rig.databaseUrl);
    const windows: Window[] = [];
    let from = await read(rig, redis);
    for (let round = 1; round <= options.rounds; round++) {
      await delay(options.seconds * 1_000);
      const to = await read(rig, redis);
      windows.push(perRenewal(from, to));
      say(`  round ${round}: ${Math.round(windows.at(-1)!.renewalsPerSecond)} renewals/s`);
      from = to;
    }
    await delay(statisticsLagMs);
    const databaseAfter = await readDatabase(rig.databaseUrl);
    const [issuedAfter, scrapeAfter] = [await rig.api.issuedTokens(), await rig.api.metrics()];

    const renewed = total(scrapeAfter, renewedSeries) - total(scrapeBefore, renewedSeries);
    const others = total(scrapeAfter, otherSeries) - total(scrapeBefore, otherSeries);
    const lateness = (share: number): number => quantileBetween(scrapeBefore, scrapeAfter, lag, share);
    const window = (pick: keyof Window): Pick<Row, 'figure' | 'lowest' | 'highest'> =>
      spread(windows.map((one) => one[pick]));
    const rowsWritten = databaseAfter.rowsWritten - databaseBefore.rowsWritten;
    const transactions = databaseAfter.transactions - databaseBefore.transactions;
    return [
      {
        measure: 'renewals',
        ...window('renewalsPerSecond'),
        unit: '/s',
        note: `${clients} clients of ${options.ttlSeconds} s`,
      },
      { measure: 'renewals that failed or were discarded', figure: others, unit: `of ${renewed}` },
      { measure: 'renewal lateness p50', figure: lateness(0.5), unit: 's', note: 'interpolated in buckets' },
      {
        measure: 'renewal lateness p99',
        figure: lateness(0.99),
        unit: 's',
        note: 'the bar, 2 s, is for 100,000 clients',
      },
      {
        measure: 'provider calls per renewal, 1 replica',
        figure: (issuedAfter - issuedBefore) / renewed,
        unit: '',
        note: 'bar 1.00',
      },
      { measure: 'Redis scripts per renewal', ...window('scripts'), unit: '', bar: { atMost: 1.2 } },
      { measure: 'Redis commands inside scripts per renewal', ...window('commands'), unit: '', bar: { atMost: 8 } },
      { measure: 'Redis CPU per renewal', ...window('redisCpuUs'), unit: 'µs', bar: { atMost: 30 } },
      { measure: '… of which running scripts', ...window('redisScriptUs'), unit: 'µs' },
      { measure: 'broker CPU per renewal', ...window('brokerCpuMs'), unit: 'ms', bar: { atMost: 1 } },
      {
        measure: 'PostgreSQL rows written per renewal',
        figure: rowsWritten / renewed,
        unit: '',
        bar: { atMost: 0 },
        note: `${rowsWritten} in ${renewed}`,
      },
      { measure: 'PostgreSQL transactions per renewal', figure: transactions / renewed, unit: '' },
      { measure: 'broker CPU with no client, of one core', figure: idle.broker * 100, unit: '%' },
      { measure: 'Redis CPU with no client, of one core', figure: idle.redis * 100, unit: '%' },
    ];
  } finally {
    redis.disconnect();
    await rig.stop();
  }
}

const renewedSeries = /^tokenbroker_renewals_total\{.*outcome="renewed"/;
const otherSeries = /^tokenbroker_renewals_total\{.*outcome="(failed|discarded)"/;

interface Window {
  renewalsPerSecond: number;
  scripts: number;
  commands: number;
  redisCpuUs: number;
  redisScriptUs: number;
  brokerCpuMs: number;
}

function perRenewal(from: Reading, to: Reading): Window {
  const renewals = to.published - from.published;
  return {
    renewalsPerSecond: renewals / ((to.at - from.at) / 1_000),
    scripts: (to.scripts - from.scripts) / renewals,
    commands: (to.commands - from.commands) / renewals,
    redisCpuUs: ((to.cpuSeconds - from.cpuSeconds) / renewals) * 1_000_000,
    redisScriptUs: ((to.scriptSeconds - from.scriptSeconds) / renewals) * 1_000_000,
    brokerCpuMs: ((to.brokerCpuSeconds - from.brokerCpuSeconds) / renewals) * 1_000,
  };
}

async function read(rig: Rig, redis: Redis): Promise<Reading> {
  return { ...(await readRedis(redis)), brokerCpuSeconds: cpuSeconds(rig.broker.pid), at: performance.now() };
}

/** What broker and Redis do with no client to renew: sixteen shards are asked four times a second whether any is due. */
async function idleShare(rig: Rig, redis: Redis): Promise<{ broker: number; redis: number }> {
  await delay(idleMs);
  const from = await read(rig, redis);
  await delay(idleMs);
  const to = await read(rig, redis);
  const seconds = (to.at - from.at) / 1_000;
  return {
    broker: (to.brokerCpuSeconds - from.brokerCpuSeconds) / seconds,
    redis: (to.cpuSeconds - from.cpuSeconds) / seconds,
  };
}
