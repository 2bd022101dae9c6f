import 'reflect-metadata';
import type { AdminKeys } from '#registry';
import { wire } from './app.module';
import { type Config, embeddedDatabase, InvalidConfig, masterKeysFile, readConfig } from './config';
import { createLogger } from './logger';
import { createServer } from './server';
import { openStorage } from './storage';

const drainMs = 10_000;
const bootstrapKeyLifeMs = 24 * 60 * 60 * 1_000;

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config.logLevel);
  const storage = await openStorage(config, logger);
  const parts = wire(config, logger, storage);
  for (const preset of await parts.definitions.storePresets()) {
    logger.warn({ provider: preset }, 'this preset is hidden by an own definition that has its name');
  }
  await bootstrap(config, parts.adminKeys);
  const app = await createServer(parts);
  const { port, host } = config;
  await app.listen(port, host);
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  explainMode(config, url);
  logger.info({ url, roles: [...config.roles] }, 'listening');
  void parts.renewals.reconcile();

  const stop = async (signal: string): Promise<void> => {
    logger.info({ signal }, 'stopping');
    parts.readiness.shutDown();
    const late = setTimeout(() => {
      logger.warn('work still running after 10 s; what it claimed goes to others when the lease ends');
      process.exit(1);
    }, drainMs);
    parts.tokens.stop();
    await parts.tokens.drain();
    await app.close();
    await storage.close();
    clearTimeout(late);
    logger.info('stopped');
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop(signal));
}

/** The first admin key, when there is none that could let anybody in. */
async function bootstrap({ bootstrapAdminKey, databaseUrl }: Config, adminKeys: AdminKeys): Promise<void> {
  const expiresAt = databaseUrl === undefined ? null : new Date(Date.now() + bootstrapKeyLifeMs);
  const key = await adminKeys.bootstrap(bootstrapAdminKey, expiresAt);
  if (!key || bootstrapAdminKey) return;
  const until = expiresAt
    ? `It expires at ${expiresAt.toISOString()}: make a lasting one with it (POST /v1/admin-keys).`
    : '';
  say('', 'Your admin key, shown this once:', '', `    ${key.reveal()}`, '', ...(until ? [until, ''] : []));
}

function explainMode({ databaseUrl, redisUrl, dataDir }: Config, url: string): void {
  if (databaseUrl === undefined) {
    say(
      `Token Broker runs embedded at ${url}, for trying it out and for a single small host:`,
      `  - clients, sealed secrets and grants are in ${embeddedDatabase(dataDir)}; the master key that opens them is in ${masterKeysFile(dataDir)}`,
      '  - one process only; set DATABASE_URL (PostgreSQL) and MASTER_KEYS for more',
    );
  }
  if (redisUrl === undefined) {
    say(
      '  - tokens live in the memory of this process and are fetched anew at each start; set REDIS_URL to share them in a fleet',
      '',
    );
  }
}

/** For the person at the terminal; what programs read goes through the log. */
function say(...lines: string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

main().catch((error: unknown) => {
  if (error instanceof InvalidConfig) process.stderr.write(`${error.message}\n`);
  else createLogger('error').fatal({ err: error }, 'the broker could not start');
  process.exitCode = 1;
  setTimeout(() => process.exit(1), 500).unref();
});
