import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { applyMigrations, markRolledBack } from './migrate';
import type { MigrateOptions } from './migrate';

const usage = 'Usage: npm run migrate -- [--rolled-back <migration>] [--folder <migrations>]';

function databaseUrl(): string {
  const { DATABASE_URL, DATABASE_URL_FILE } = process.env;
  const url = DATABASE_URL || (DATABASE_URL_FILE ? readFileSync(DATABASE_URL_FILE, 'utf8').trim() : '');
  if (!url) {
    throw new Error(
      'Nothing to migrate: set DATABASE_URL (or DATABASE_URL_FILE, a file that holds it) to the PostgreSQL database. ' +
        'The embedded database needs no such step: it is migrated at start.',
    );
  }
  return url;
}

/** The address without user and password, which have no place in a log. */
function address(url: string): string {
  if (!URL.canParse(url)) throw new Error('DATABASE_URL is not a URL: postgresql://user:password@host:5432/database');
  const { host, pathname } = new URL(url);
  return host + pathname;
}

async function main(): Promise<void> {
  const options = { 'rolled-back': { type: 'string' }, folder: { type: 'string' }, help: { type: 'boolean' } } as const;
  const { values } = parseArgs({ options });
  if (values.help) return console.log(usage);
  const url = databaseUrl();
  const at = address(url);
  const adapter = new PrismaPg({ connectionString: url, connectionTimeoutMillis: 10_000, application_name: 'migrate' });
  const settings: MigrateOptions = { log: (line) => console.log(line) };
  if (values.folder) settings.folder = values.folder;
  try {
    if (values['rolled-back']) await markRolledBack(adapter, values['rolled-back']);
    const applied = await applyMigrations(adapter, settings);
    console.log(applied.length === 0 ? `${at} is up to date` : `${at}: ${applied.length} applied`);
  } catch (error) {
    throw new Error(`${at}: ${reasonOf(error)}`, { cause: error });
  }
}

/** Prisma's driver errors carry their reason in `cause`; an AggregateError (IPv4 and IPv6 refused) in `errors`. */
function reasonOf(error: unknown): string {
  const { message, cause, errors } = error as { message?: string; cause?: Record<string, unknown>; errors?: Error[] };
  if (errors?.length) return errors.map((each) => each.message).join(', ');
  const kind = cause?.kind;
  if (kind === 'DatabaseNotReachable') return 'PostgreSQL cannot be reached there (refused, or no such host)';
  return typeof kind === 'string' ? String(cause?.originalMessage ?? message) : (message ?? String(error));
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
