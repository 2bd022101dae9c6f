import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { request } from 'undici';
import { bulkEnv, readBulk, untilIssued } from './bulk-provider';
import type { Cores } from './cores';
import { countWithoutToken, registerCrowd } from './crowd';
import { type DatabaseReading, readDatabase } from './database-readings';
import { median } from './figures';
import { cpuSeconds, type Program, residentMb } from './program';
import { keyBytes, mortalKeys, readRedis, redisResidentMb, type RedisReading, usedMemoryBytes } from './redis-readings';
import { type Ground, startGround } from './rig';
import { quantileBetween, total } from './scrape';

export interface ScaleOptions {
  clients: number;
  /** Life of each token. */
  ttlSeconds: number;
  /** For so long it is measured, once every client has its first token. */
  lifetimes: number;
  replicas: number;
  cores: Cores | undefined;
  say: (line: string) => void;
  nodeOptions: string[];
}

/** Of one number of clients. Per renewal unless it says otherwise. */
export type ScaleFigures = Awaited<ReturnType<typeof measureScale>>;

interface Reading extends RedisReading {
  at: number;
  issued: number;
  brokerCpuSeconds: number;
  simulatorCpuSeconds: number;
}

const lag = 'tokenbroker_renewal_lag_seconds';
/** From one token of a client to the next: the middle of 60 to 70 % of its life. */
export const renewedAtShare = 0.65;
const idleMs = 4_000;
/** The brokers' start, before the first client is due; and what follows the last first token, until it is written down. */
const startMs = 4_000;
const settleMs = 10_000;
/** Backends report to PostgreSQL's statistics at most once a second. */
const statisticsLagMs = 2_000;
const restAttempts = 30;
const windows = 5;

/** Very many clients, already spread over their tokens' lives: what renewing them costs, and whether it is in time. */
export async function measureScale(options: ScaleOptions) {
  const { clients, ttlSeconds, lifetimes, replicas, say, cores, nodeOptions } = options;
  const ground = await startGround({ cores, nodeOptions, simulatorEnv: bulkEnv(ttlSeconds) });
  const redis = new Redis(ground.redisUrl);
  try {
    say(`${clients} clients of ${ttlSeconds} s: registering`);
    const idle = await idleFigures(ground, redis);
    const emptyBytes = await usedMemoryBytes(redis);
    const cycleMs = renewedAtShare * ttlSeconds * 1_000;
    const crowd = await registerCrowd(ground, clients, () => startMs + Math.random() * cycleMs);
    say(`  registered in ${crowd.seconds.toFixed(1)} s; first tokens, spread over ${(cycleMs / 1_000).toFixed(0)} s`);
    const brokers = await Promise.all(Array.from({ length: replicas }, () => ground.startBroker()));
    await untilIssued(ground, clients, 2 * cycleMs + 60_000);
    await delay(settleMs);

    const scrapeBefore = await scrape(ground, brokers);
    const databaseBefore = await databaseAtRest(ground);
    const readings = [await read(ground, brokers, redis)];
    for (let window = 1; window <= windows; window++) {
      await delay((lifetimes * ttlSeconds * 1_000) / windows);
      readings.push(await read(ground, brokers, redis));
      const rate = perRenewal(readings.at(-2)!, readings.at(-1)!).renewalsPerSecond;
      say(`  ${window} of ${windows}: ${Math.round(rate)} renewals/s`);
    }
    const redisMb = await redisResidentMb(redis);
    const brokerMb = Math.max(...brokers.map(({ pid }) => residentMb(pid)));
    const mortal = await mortalKeys(redis);
    const grownBytes = (await usedMemoryBytes(redis)) - emptyBytes;
    const databaseAfter = await databaseAtRest(ground);
    const scrapeAfter = await scrape(ground, brokers);
    const without = await countWithoutToken(ground, crowd.ids);
    const bytes = await keyBytes(redis);

    const between = (series: RegExp): number => total(scrapeAfter.text, series) - total(scrapeBefore.text, series);
    const lateness = (share: number): number => quantileBetween(scrapeBefore.text, scrapeAfter.text, lag, share);
    const [first, last] = [readings[0]!, readings.at(-1)!];
    const renewals = last.issued - first.issued;
    const middle = middleOf(readings);
    return {
      ...middle,
      clients,
      ttlSeconds,
      lifetimes,
      registeredInSeconds: crowd.seconds,
      latenessP50: lateness(0.5),
      latenessP99: lateness(0.99),
      failed: between(otherSeries),
      // Tokens in Redis end by themselves; were it otherwise, nothing would be known of those that ended.
      ended: mortal > 0 ? last.expiredKeys - first.expiredKeys : NaN,
      without,
      callsPerLifetime: (scrapeAfter.issued - scrapeBefore.issued) / between(renewedSeries),
      keyBytes: bytes.all / clients,
      grownBytes: grownBytes / clients,
      rowsWritten: (databaseAfter.rowsWritten - databaseBefore.rowsWritten) / renewals,
      sumsWritten: (databaseAfter.sumsWritten - databaseBefore.sumsWritten) / renewals,
      transactions: (databaseAfter.transactions - databaseBefore.transactions) / renewals,
      rowsRead: (databaseAfter.rowsRead - databaseBefore.rowsRead) / renewals,
      brokerIdleMb: idle.brokerMb,
      brokerMb,
      redisIdleMb: idle.redisMb,
      redisMb,
      idleBroker: idle.broker,
      idleRedis: idle.redis,
    };
  } finally {
    redis.disconnect();
    await ground.stop();
  }
}

export const renewedSeries = /^tokenbroker_renewals_total\{.*outcome="renewed"/;
const otherSeries = /^tokenbroker_renewals_total\{.*outcome="(failed|discarded)"/;

function perRenewal(from: Reading, to: Reading) {
  const renewals = to.issued - from.issued;
  const each = (pick: (reading: Reading) => number): number => (pick(to) - pick(from)) / renewals;
  return {
    renewalsPerSecond: renewals / ((to.at - from.at) / 1_000),
    scripts: each((reading) => reading.scripts),
    commands: each((reading) => reading.commands),
    redisCpuUs: each((reading) => reading.cpuSeconds) * 1_000_000,
    redisScriptUs: each((reading) => reading.scriptSeconds) * 1_000_000,
    redisNetBytes: each((reading) => reading.netBytes),
    brokerCpuMs: each((reading) => reading.brokerCpuSeconds) * 1_000,
    simulatorCpuUs: each((reading) => reading.simulatorCpuSeconds) * 1_000_000,
  };
}

/** The median over the windows, each figure by itself. */
function middleOf(readings: Reading[]): ReturnType<typeof perRenewal> {
  const all = readings.slice(1).map((reading, i) => perRenewal(readings[i]!, reading));
  const names = Object.keys(all[0]!) as (keyof ReturnType<typeof perRenewal>)[];
  const medians = names.map((name) => [name, median(all.map((one) => one[name]))]);
  return Object.fromEntries(medians) as ReturnType<typeof perRenewal>;
}

async function read(ground: Ground, brokers: Program[], redis: Redis): Promise<Reading> {
  const [ofRedis, { issued }] = await Promise.all([readRedis(redis), readBulk(ground)]);
  return {
    ...ofRedis,
    issued,
    brokerCpuSeconds: brokers.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
    simulatorCpuSeconds: cpuSeconds(ground.simulator.pid),
    at: performance.now(),
  };
}

/** All brokers' metrics put together, and the tokens that were issued in the middle of it. */
export async function scrape(ground: Ground, brokers: Program[]): Promise<{ text: string; issued: number }> {
  const { issued: before } = await readBulk(ground);
  const texts = brokers.map(async ({ url }) => (await request(`${url}/metrics`)).body.text());
  const text = (await Promise.all(texts)).join('\n');
  return { text, issued: (before + (await readBulk(ground)).issued) / 2 };
}

/** Waits until nothing more is written: that every client has its first token is written down some time after it has. */
async function databaseAtRest({ databaseUrl }: Ground): Promise<DatabaseReading> {
  let [before, calm]: [DatabaseReading | undefined, number] = [undefined, 0];
  for (let i = 0; ; i++) {
    await delay(statisticsLagMs);
    const reading = await readDatabase(databaseUrl);
    calm = reading.rowsWritten === before?.rowsWritten ? calm + 1 : 0;
    if (calm >= 5 || i >= restAttempts) return reading;
    before = reading;
  }
}

/** With no client: sixteen shards are asked four times a second whether any is due. */
async function idleFigures(ground: Ground, redis: Redis) {
  const broker = await ground.startBroker();
  await delay(idleMs);
  const from = await read(ground, [broker], redis);
  await delay(idleMs);
  const to = await read(ground, [broker], redis);
  const seconds = (to.at - from.at) / 1_000;
  const figures = {
    broker: (to.brokerCpuSeconds - from.brokerCpuSeconds) / seconds,
    redis: (to.cpuSeconds - from.cpuSeconds) / seconds,
    brokerMb: residentMb(broker.pid),
    redisMb: await redisResidentMb(redis),
  };
  await broker.stop();
  return figures;
}
