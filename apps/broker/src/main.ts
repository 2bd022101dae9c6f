import 'reflect-metadata';
import type { FastifyInstance } from 'fastify';
import type { AdminKeys } from '#registry';
import { type Parts, wire } from './app.module';
import { TlsListener } from './auth/tls/tls-listener';
import { type Config, InvalidConfig, readConfig } from './config';
import { embeddedDatabase, masterKeysFile } from './config/key-ring';
import { createLogger, type Logger } from './logger';
import { createServer } from './server';
import { shutDown } from './shutdown';
import { databaseAt, openStorage, type Storage } from './storage';
import { openPatiently } from './waiting-room';

const bootstrapKeyLifeMs = 24 * 60 * 60 * 1_000;

async function main(): Promise<void> {
  const config = readConfig();
  const logger = createLogger(config.logLevel);
  let stop = (): Promise<void> => Promise.resolve();
  onSignal(logger, () => stop());

  const { opened, port } = await openAll(config, logger);
  const { parts, storage } = opened;
  const app = await createServer(parts);
  const tls = parts.tls && new TlsListener(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, parts.tls);
  const close = () => Promise.all([app.close(), tls?.close()]);
  stop = () => shutDown(parts, { close }, storage);
  await app.listen(port, config.host);
  const url = (await app.getUrl()).replace('[::1]', '127.0.0.1');
  explainMode(config, url);
  if (tls) {
    process.on('SIGHUP', () => parts.tls?.reload());
    logger.info({ url: await tls.listen(config.host) }, 'serving with TLS');
  }
  logger.info({ url, roles: [...config.roles] }, 'listening');
  void parts.renewals.reconcile();
}

/** The first signal ends the process in order, or at once where nothing is under way; the second one at once. */
function onSignal(logger: Logger, stop: () => Promise<void>): void {
  let stopping = false;
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (stopping) process.exit(1);
      stopping = true;
      logger.info({ signal }, 'stopping');
      stop().then(
        () => {
          logger.info('stopped');
          process.exit(0);
        },
        (error: unknown) => {
          logger.error({ err: error }, 'the end was not in order');
          process.exit(1);
        },
      );
    });
  }
}

interface Opened {
  parts: Parts;
  storage: Storage;
}

async function openAll(config: Config, logger: Logger): Promise<{ opened: Opened; port: number }> {
  const { databaseUrl, port, host } = config;
  const open = async (): Promise<Opened> => {
    const storage = await openStorage(config, logger);
    try {
      const parts = wire(config, logger, storage);
      await parts.keys.begin();
      // One that lacks keys which the others have would take their presets for forged, and their admin keys for unusable.
      if (parts.keys.state === 'ok' || databaseUrl === undefined) await storeFirst(config, parts);
      else logger.warn('no preset is stored and no admin key made before the master keys are all here');
      return { parts, storage };
    } catch (error) {
      await storage.close();
      throw error;
    }
  };
  if (databaseUrl === undefined) return { opened: await open(), port };
  return openPatiently(open, { port, host }, { database: databaseAt(databaseUrl), logger });
}

/** What has to be there before the first request. */
async function storeFirst(config: Config, { definitions, adminKeys, logger }: Parts): Promise<void> {
  for (const preset of await definitions.storePresets()) {
    logger.warn({ provider: preset }, 'this preset is hidden by an own definition that has its name');
  }
  await bootstrap(config, adminKeys);
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
