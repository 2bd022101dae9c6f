import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';
import { forgetInterrupted, runAllOrNothing } from './all-or-nothing';
import { migrationNames, migrationsFolder, readMigrations } from './migrations-folder';
import { OwnConnections } from './own-connections';
import { noFilters, openSchemaEngine } from './schema-engine';
import { inTurn } from './turn';

/** A migration's SQL was refused, or an earlier attempt at it still stands in the way. Nothing of it was applied. */
export class MigrationFailed extends Error {
  readonly code = 'migration_failed';

  constructor(
    readonly migration: string,
    reason: string,
    options?: ErrorOptions,
  ) {
    super(`Migration ${migration}: ${reason}`, options);
  }
}

export interface MigrateOptions {
  /** Default: the project's `prisma/migrations`. */
  folder?: string;
  log?: (line: string) => void;
}

/**
 * Brings a database up to the migrations on disk with Prisma's own engine, and leaves `_prisma_migrations` as
 * `prisma migrate deploy` would. Returns the names applied, oldest first; none when up to date. Replicas that start
 * together wait for each other; what one of them had begun when it was killed is tried again, where it is known that nothing
 * of it was applied. The factory must open connections of its own (a URL, not a pool) without a
 * `query_timeout`: a long migration is no fault.
 *
 * @throws MigrationFailed
 */
export async function applyMigrations(
  factory: SqlMigrationAwareDriverAdapterFactory,
  { folder = migrationsFolder(), log = () => undefined }: MigrateOptions = {},
): Promise<string[]> {
  const connections = new OwnConnections(factory, runAllOrNothing);
  const migrationsList = readMigrations(folder);
  try {
    const session = await connections.connect();
    const apply = async (): Promise<string[]> => {
      for (const name of await forgetInterrupted(session)) {
        log(`Migration ${name} was begun by a process that died, and nothing of it was applied: trying it again`);
      }
      return applyThroughEngine(connections, migrationsList);
    };
    // PGlite is one session in one process: nobody to wait for, and a second transaction would wait for the first.
    const alone = session.adapterName.includes('pglite');
    const waiting = () => log('Another process is migrating this database: waiting for it');
    const applied = alone ? await apply() : await inTurn(session, apply, waiting);
    for (const name of applied) log(`Applied migration ${name}`);
    return applied;
  } finally {
    await connections.close();
  }
}

async function applyThroughEngine(connections: OwnConnections, migrationsList: MigrationList): Promise<string[]> {
  const engine = await openSchemaEngine(connections);
  try {
    const { appliedMigrationNames } = await engine.applyMigrations({ migrationsList, filters: noFilters });
    return appliedMigrationNames;
  } catch (cause) {
    throw explained(cause, connections, migrationsList);
  } finally {
    engine.free();
  }
}

/** The engine says "external connector error" and adds its own stack: say which migration, and what the database said. */
function explained(cause: unknown, { refused }: OwnConnections, { migrationDirectories }: MigrationList): unknown {
  if (refused) {
    const failed = migrationDirectories.find(({ migrationFile: { content } }) => content.value === refused.script);
    const said = refused.error instanceof Error ? describe(refused.error) : String(refused.error);
    return new MigrationFailed(failed?.path ?? 'unknown', `${said} (nothing of it was applied)`, { cause });
  }
  const { code, message } = cause as { code?: string; message: string };
  const blocked = code === 'P3009' ? /The `([^`]+)` migration/.exec(message)?.[1] : undefined;
  if (!blocked) return cause;
  const why = 'an earlier attempt failed, or was interrupted, and blocks this and later ones';
  const remedy = `when its cause is mended and nothing of it is left, run: npm run migrate -- --rolled-back ${blocked}`;
  return new MigrationFailed(blocked, `${why}; ${remedy}`, { cause });
}

function describe(error: Error): string {
  const reason = error.cause as { originalMessage?: string; originalCode?: string; message?: string } | undefined;
  const message = reason?.originalMessage ?? reason?.message ?? error.message;
  return reason?.originalCode ? `${message} [${reason.originalCode}]` : message;
}

/** Says that a failed migration left nothing behind, so that the next `applyMigrations` tries it again. */
export async function markRolledBack(
  factory: SqlMigrationAwareDriverAdapterFactory,
  migrationName: string,
): Promise<void> {
  const connections = new OwnConnections(factory);
  try {
    const engine = await openSchemaEngine(connections);
    await engine.markMigrationRolledBack({ migrationName }).finally(() => engine.free());
  } finally {
    await connections.close();
  }
}

const tableExists = `SELECT to_regclass('_prisma_migrations') IS NOT NULL AS present`;
const finishedNames = `SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL`;

/**
 * The migrations on disk that this database has not had: two small queries and no engine, for a readiness check.
 * Migrations that only the database knows are no concern: a newer replica may have been here first.
 *
 * @param query e.g. `(sql) => prisma.$queryRawUnsafe(sql)`, answering with the rows as objects
 */
export async function pendingMigrations(
  query: (sql: string) => PromiseLike<unknown>,
  folder: string = migrationsFolder(),
): Promise<string[]> {
  const onDisk = migrationNames(folder);
  const [table] = (await query(tableExists)) as [{ present: boolean }];
  if (!table.present) return onDisk;
  const rows = (await query(finishedNames)) as { migration_name: string }[];
  const applied = new Set(rows.map((row) => row.migration_name));
  return onDisk.filter((name) => !applied.has(name));
}
