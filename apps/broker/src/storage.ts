import { mkdirSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { applyMigrations, pendingMigrations } from '#migrations';
import {
  type Database,
  databaseFault,
  isDatabaseUnavailable,
  migratingAdapter,
  openDatabase,
  openEmbedded,
  postgresAdapter,
} from '#registry';
import { MemoryTokenStore, RedisTokenStore, type TokenStore } from '#tokens';
import { KeyRing, newMasterKey } from '#vault';
import { type Config, InvalidConfig } from './config';
import { embeddedDatabase, masterKeysFile } from './config/key-ring';
import { createFile, lockFolder } from './folder-lock';
import type { Logger } from './logger';

/** What the broker keeps its things in: PostgreSQL and Redis, or what stands in for them in the embedded mode. */
export interface Storage {
  database: Database;
  store: TokenStore;
  keyRing: KeyRing;
  pendingMigrations: () => Promise<string[]>;
  close(): Promise<void>;
}

interface OpenDatabase {
  database: Database;
  keyRing: KeyRing;
  close(): Promise<void>;
}

const waitForRedisMs = 3_000;
const saidAgainAfterMs = 60_000;
const evictingWarning =
  'Redis throws away keys when its memory is full, and with them tokens and renewals; set maxmemory-policy noeviction';

/**
 * @throws InvalidConfig when the database cannot be used: a start refused beats a start half-configured. Any other error
 *   when it cannot be reached, which may mend itself.
 */
export async function openStorage(config: Config, logger: Logger): Promise<Storage> {
  const { database, keyRing, close } =
    config.databaseUrl === undefined
      ? await embedded(config, logger)
      : await postgres(config, config.databaseUrl, logger);
  const store = await openTokenStore(config, logger);
  return {
    database,
    store,
    keyRing,
    pendingMigrations: () => pending(database),
    close: async () => {
      await Promise.allSettled([store.close(), close()]);
    },
  };
}

async function postgres({ keyRing }: Config, url: string, logger: Logger): Promise<OpenDatabase> {
  compileWebAssemblyOnce();
  const database = openDatabase(postgresAdapter(url));
  try {
    await migrate(database, migratingAdapter(url), (line) => logger.info(line));
  } catch (error) {
    await database.$disconnect();
    if (isDatabaseUnavailable(error)) throw error;
    throw new InvalidConfig([
      `DATABASE_URL: the database at ${databaseAt(url)} cannot be used: ${databaseFault(error)}`,
    ]);
  }
  return { database, keyRing: keyRing!, close: () => database.$disconnect() };
}

/**
 * Prisma's query compiler, which is all the WebAssembly there is without the embedded database, runs a few times a second
 * at most: making its code faster while it runs costs 15 MB and gains nothing.
 */
function compileWebAssemblyOnce(): void {
  for (const flag of ['--no-wasm-tier-up', '--no-wasm-dynamic-tiering']) setFlagsFromString(flag);
}

/** Where it is and what it is called, without who asks and by which password. */
export function databaseAt(url: string): string {
  const { host, pathname } = new URL(url);
  return host + pathname;
}

async function embedded({ dataDir, ...config }: Config, logger: Logger): Promise<OpenDatabase> {
  const unlock = lock(dataDir);
  // Made under the lock, and before the database is: two first starts make one key, and no database is without one.
  const keyRing = config.keyRing ?? firstKeyRing(dataDir, logger);
  const { adapter, close } = await openEmbedded(embeddedDatabase(dataDir));
  const database = openDatabase(adapter);
  await migrate(database, adapter, (line) => logger.debug(line));
  return { database, keyRing, close: () => database.$disconnect().then(close).finally(unlock) };
}

/** The engine, 100 MB of memory and a second, is not started for nothing. */
async function migrate(
  database: Database,
  adapter: Parameters<typeof applyMigrations>[0],
  log: (line: string) => void,
): Promise<void> {
  if ((await pending(database)).length > 0) await applyMigrations(adapter, { log });
}

function pending(database: Database): Promise<string[]> {
  return pendingMigrations((sql) => database.$queryRawUnsafe(sql));
}

function lock(dataDir: string): () => void {
  mkdirSync(dataDir, { recursive: true });
  try {
    return lockFolder(dataDir);
  } catch (error) {
    const hint = 'stop it, choose another DATA_DIR, or set DATABASE_URL to share a database';
    throw new InvalidConfig([`DATA_DIR: ${dataDir} cannot be used: ${(error as Error).message}; ${hint}`]);
  }
}

async function openTokenStore({ redisUrl }: Config, logger: Logger): Promise<TokenStore> {
  if (redisUrl === undefined) return new MemoryTokenStore();
  let lost = false;
  let evicting = false;
  let quietUntil = 0;
  const store = new RedisTokenStore(redisUrl, {
    onLost: (error) => {
      if (!lost) logger.error({ err: error }, 'Redis does not answer; trying again until it does');
      lost = true;
    },
    onReady: () => {
      if (lost) logger.info('Redis answers again');
      lost = false;
    },
    onFull: (error) => {
      if (performance.now() < quietUntil) return;
      quietUntil = performance.now() + saidAgainAfterMs;
      logger.error({ err: error }, 'Redis is out of memory: nothing can be renewed until it has room');
    },
    onEvicting: (policy) => {
      if (!evicting) logger.warn({ policy }, evictingWarning);
      evicting = true;
    },
  });
  // Redis lost is a state to live with, at the start as later: the broker is degraded, and heals by itself.
  if (!(await store.ready(waitForRedisMs)))
    logger.warn('starting without Redis: no token can be served until it answers');
  return store;
}

function firstKeyRing(dataDir: string, logger: Logger): KeyRing {
  const text = newMasterKey('embedded');
  const file = masterKeysFile(dataDir);
  createFile(file, `${text}\n`);
  logger.info({ file }, 'made a master key; without this file the stored secrets cannot be opened');
  return KeyRing.parse(text);
}
