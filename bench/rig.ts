import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyMigrations } from '#migrations';
import { migratingAdapter } from '#registry';
import { Client } from 'pg';
import { startPostgres } from '../test/harness/postgres';
import { startRedis } from '../test/harness/redis';
import { installRedis, redisProgram } from '../test/harness/redis-programs';
import { root } from '../test/harness/root';
import { BrokerApi } from './broker-api';
import type { Cores } from './cores';
import { type Program, startProgram } from './program';

/** A PostgreSQL, a Redis and a provider: real processes, nothing shared with another ground. Brokers are started on it. */
export interface Ground {
  databaseUrl: string;
  redisUrl: string;
  simulator: Program;
  masterKeys: string;
  adminKey: string;
  /** @param more environment, besides that of the ground */
  startBroker(more?: Record<string, string>): Promise<Program>;
  stop(): Promise<void>;
}

/** A ground with one broker on it. */
export interface Rig extends Ground {
  broker: Program;
  api: BrokerApi;
}

export interface GroundOptions {
  cores: Cores | undefined;
  /** For the broker: `--cpu-prof` tells where its time goes. */
  nodeOptions?: string[];
  simulatorEnv?: Record<string, string>;
}

export async function startRig(cores: Cores | undefined, nodeOptions: string[] = []): Promise<Rig> {
  const ground = await startGround({ cores, nodeOptions });
  try {
    const broker = await ground.startBroker();
    return { ...ground, broker, api: new BrokerApi(broker.url, ground.adminKey, ground.simulator.url) };
  } catch (error) {
    await ground.stop();
    throw error;
  }
}

export async function startGround({ cores, nodeOptions, simulatorEnv }: GroundOptions): Promise<Ground> {
  const stops: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const stopOne of stops.splice(0).reverse()) await stopOne();
  };
  try {
    const postgres = await startPostgres();
    stops.push(postgres.stop);
    const database = await createDatabase(postgres.url);
    stops.push(database.drop);
    await applyMigrations(migratingAdapter(database.url)); // what some put in before any broker starts needs its tables
    const redis = await privateRedis();
    stops.push(redis.stop);
    const simulator = await startProgram('apps/simulator/src/main.js', {
      PORT: '0',
      ...(simulatorEnv ?? { CHEAP_TOKENS: '1' }),
    });
    stops.push(simulator.stop);
    const masterKeys = `bench:${randomBytes(32).toString('base64')}`;
    const adminKey = randomBytes(24).toString('hex');
    const env = {
      PORT: '0',
      HOST: '127.0.0.1',
      DATABASE_URL: database.url,
      REDIS_URL: redis.url,
      MASTER_KEYS: masterKeys,
      BOOTSTRAP_ADMIN_KEY: adminKey,
      ALLOWED_PROVIDER_HOSTS: simulator.url,
    };
    const flags = [...shippedFlags(), ...(nodeOptions ?? [])];
    const startBroker = async (more: Record<string, string> = {}): Promise<Program> => {
      const broker = await startProgram('apps/broker/src/main.js', { ...env, ...more }, cores?.server, flags);
      stops.push(broker.stop);
      return broker;
    };
    return { databaseUrl: database.url, redisUrl: redis.url, simulator, masterKeys, adminKey, startBroker, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Node's, as `npm start` and the image give them to the broker. */
function shippedFlags(): string[] {
  const { start } = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } })
    .scripts;
  return start.split('node ').at(-1)!.split(' ').slice(0, -1);
}

/** Never one that others use: its counts and its memory are what is measured. */
async function privateRedis(): ReturnType<typeof startRedis> {
  const refusal = redisProgram() ? undefined : await installRedis();
  if (refusal !== undefined) throw new Error(`The bench needs redis-server or valkey-server on PATH (${refusal})`);
  return startRedis();
}

/** A database of one's own, since DATABASE_URL may name a server that stays. */
async function createDatabase(server: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `token_broker_bench_${randomBytes(4).toString('hex')}`;
  const url = new URL(server);
  url.pathname = `/${name}`;
  await statement(server, `CREATE DATABASE "${name}"`);
  return { url: url.href, drop: () => statement(server, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`) };
}

async function statement(server: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: server });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
