import { Client } from 'pg';

export interface DatabaseReading {
  /** Inserted, updated and deleted, in all tables. */
  rowsWritten: number;
  transactions: number;
  /** By scans of tables and of indexes. */
  rowsRead: number;
}

export async function readDatabase(url: string): Promise<DatabaseReading> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ written: string; transactions: string; read: string }>(
      `SELECT tup_inserted + tup_updated + tup_deleted AS written, xact_commit AS transactions, tup_returned AS read
       FROM pg_stat_database WHERE datname = current_database()`,
    );
    return {
      rowsWritten: Number(rows[0]?.written),
      transactions: Number(rows[0]?.transactions),
      rowsRead: Number(rows[0]?.read),
    };
  } finally {
    await client.end();
  }
}
