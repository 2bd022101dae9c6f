import { Client } from 'pg';

export interface DatabaseReading {
  /** Inserted, updated and deleted, in all tables but the one of hourly sums. */
  rowsWritten: number;
  /** In that one: as many, however many renewals there are. */
  sumsWritten: number;
  transactions: number;
  /** By scans of tables and of indexes. */
  rowsRead: number;
}

export async function readDatabase(url: string): Promise<DatabaseReading> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ written: string; sums: string; transactions: string; read: string }>(
      `SELECT xact_commit AS transactions, tup_returned AS read, written, sums
       FROM pg_stat_database, (
         SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FILTER (WHERE relname <> 'renewal_hours') AS written,
           sum(n_tup_ins + n_tup_upd + n_tup_del) FILTER (WHERE relname = 'renewal_hours') AS sums
         FROM pg_stat_user_tables
       ) AS tables WHERE datname = current_database()`,
    );
    return {
      rowsWritten: Number(rows[0]?.written),
      sumsWritten: Number(rows[0]?.sums),
      transactions: Number(rows[0]?.transactions),
      rowsRead: Number(rows[0]?.read),
    };
  } finally {
    await client.end();
  }
}
