import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';
import { runWhole } from './own-connections';

/**
 * The engine notes that a migration has begun, sends its script, and notes that it is finished: three transactions. Of a
 * process that dies between them nobody could tell whether the script was applied, all the more since PostgreSQL goes on
 * with what it was sent: it does not notice while it waits for a lock. Here the script finishes its migration itself, in
 * its own transaction. What has begun so and is not finished, once its session is gone, was not applied.
 */
const begun = 'begun: finished in the transaction in which it is applied, or not applied';
const underWay = `finished_at IS NULL AND rolled_back_at IS NULL`;
const begin = `UPDATE _prisma_migrations SET logs = '${begun}' WHERE logs IS NULL AND ${underWay}`;
const finish = `UPDATE _prisma_migrations SET logs = NULL, finished_at = now() WHERE logs = '${begun}' AND ${underWay}`;
const tableExists = `SELECT to_regclass('_prisma_migrations') IS NOT NULL`;
const giveUp = `UPDATE _prisma_migrations SET rolled_back_at = now() WHERE logs = '${begun}' AND ${underWay} RETURNING migration_name`;

/** Rather too many than too few: what may end its transaction itself, or cannot run in one. */
const endsItself = /\b(commit|rollback|abort|prepare\s+transaction|concurrently|vacuum)\b|^\s*end\b/im;

const statement = (sql: string) => ({ sql, args: [], argTypes: [] });

/** Runs the script of the migration that the engine has just noted. */
export async function runAllOrNothing(session: SqlDriverAdapter, script: string): Promise<void> {
  if (endsItself.test(script)) return runWhole(session, script);
  await session.executeRaw(statement(begin));
  await runWhole(session, `${script}\n;\n${finish}`);
}

/** Of migrations whose process died before anything was applied: they are tried again. Nobody may be migrating now. */
export async function forgetInterrupted(session: SqlQueryable): Promise<string[]> {
  const [[exists]] = (await session.queryRaw(statement(tableExists))).rows as [[boolean]];
  if (!exists) return [];
  return (await session.queryRaw(statement(giveUp))).rows.map(([name]) => String(name));
}
