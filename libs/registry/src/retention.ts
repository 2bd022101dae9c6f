import type { Database, Transaction } from './database';
import { firstReadsId } from './read-audit';

export const retentionDays = 90;

/** Any number, that no other lock of ours has. */
const retentionLock = 7270736902;
const rowsAtATime = 1_000;
const maxBatches = 50;
/** Audited reads are many more: up to 120 million a day can go. */
const readsAtATime = 10_000;
const maxBatchesOfReads = 500;

/** Takes away what is too old of what grows for ever. The audit is kept. */
export class Retention {
  constructor(private readonly db: Database) {}

  /**
   * One run: batch after batch, each a short transaction of its own, and no more than so many. What is left waits for the
   * next run. Where another replica is at it, this one leaves it to that one.
   * @returns how many rows are gone
   */
  async run(): Promise<number> {
    const history = await this.#inBatches(deleteSome, rowsAtATime, maxBatches);
    return history + (await this.#inBatches(deleteReads, readsAtATime, maxBatchesOfReads));
  }

  async #inBatches(deleteBatch: (tx: Transaction) => Promise<number>, full: number, atMost: number): Promise<number> {
    let total = 0;
    for (let batch = 0; batch < atMost; batch++) {
      const deleted = await this.db.$transaction(async (tx) => {
        const [{ mine } = { mine: false }] = await tx.$queryRaw<{ mine: boolean }[]>`
          SELECT pg_try_advisory_xact_lock(${retentionLock}::bigint) AS mine`;
        return mine ? deleteBatch(tx) : 0;
      });
      total += deleted;
      if (deleted < full) break;
    }
    return total;
  }
}

function deleteReads(tx: Transaction): Promise<number> {
  const kept = firstReadsId(Date.now() - retentionDays * 86_400_000);
  return tx.$executeRaw`
    DELETE FROM token_reads WHERE id IN (
      SELECT id FROM token_reads WHERE id < ${kept}::uuid ORDER BY id LIMIT ${readsAtATime})`;
}

/** Up to a batch of each kind. As long as both together are less than a batch, nothing is left. */
async function deleteSome(tx: Transaction): Promise<number> {
  const events = await tx.$executeRaw`
    DELETE FROM events WHERE seq IN (
      SELECT seq FROM events WHERE at < now() - make_interval(days => ${retentionDays}::int)
      ORDER BY at LIMIT ${rowsAtATime})`;
  const hours = await tx.$executeRaw`
    DELETE FROM renewal_hours WHERE (hour, provider, outcome, reason) IN (
      SELECT hour, provider, outcome, reason FROM renewal_hours
      WHERE hour < now() - make_interval(days => ${retentionDays}::int)
      ORDER BY hour LIMIT ${rowsAtATime})`;
  return events + hours;
}
