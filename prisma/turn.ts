import { setTimeout as delay } from 'node:timers/promises';
import type { SqlDriverAdapter, SqlQueryable } from '@prisma/driver-adapter-utils';

/** The engine's own, which it holds beneath this one. */
const engineLock = 72707369;
/** Any other number. */
const turnLock = 7270736900;
const pollMs = 200;

const statement = (sql: string) => ({ sql, args: [], argTypes: [] });

/**
 * Replicas that start together migrate one after the other. The engine's own lock gives up after 10 s, so that a long
 * migration would fail every replica but one: here they wait as long as it takes. Asking again and again, in a
 * transaction, rather than in one blocking call: a waiting statement holds a snapshot, and CREATE INDEX CONCURRENTLY
 * of the one who migrates would wait for it, for ever. The lock ends with the connection, however its process ends: the
 * engine's, too, but not before what it sent last has ended, which may outlive its process while it waits for a lock.
 */
export async function inTurn<T>(adapter: SqlDriverAdapter, work: () => Promise<T>, onWait: () => void): Promise<T> {
  const transaction = await adapter.startTransaction();
  try {
    await transaction.executeRaw(statement('SET LOCAL idle_in_transaction_session_timeout = 0'));
    if (!(await takes(transaction))) {
      onWait();
      while (!(await takes(transaction))) await delay(pollMs);
    }
    return await work();
  } finally {
    // Through the adapter's protocol the caller says COMMIT, and `commit()` only gives the connection back.
    await transaction.executeRaw(statement('COMMIT')).catch(() => undefined);
    await transaction.commit();
  }
}

async function takes(session: SqlQueryable): Promise<boolean> {
  const isTrue = async (sql: string) => (await session.queryRaw(statement(`SELECT ${sql}`))).rows[0]?.[0] === true;
  const isFree = `CASE WHEN pg_try_advisory_lock(${engineLock}) THEN pg_advisory_unlock(${engineLock}) ELSE false END`;
  return (await isTrue(`pg_try_advisory_xact_lock(${turnLock})`)) && (await isTrue(isFree));
}
