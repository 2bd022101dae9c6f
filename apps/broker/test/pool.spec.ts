import { Client } from 'pg';
import { runSql } from '../../../test/harness/database';
import { type Fleet, startFleet, until } from './fleet';

describe('with every connection to PostgreSQL taken by a query that does not end', () => {
  let fleet: Fleet;
  let other: Client;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet(1);
    other = new Client({ connectionString: fleet.database.url });
    await other.connect();
    await fleet.register('eu', { ttlSeconds: 60 });
    key = await fleet.service('reader', 'eu');
    expect((await fleet.token('eu', key)).status).toBe(200);
    expect((await fleet.admin('GET', '/health/ready')).body.status).toBe('ready');
  });
  afterAll(async () => {
    await other.end();
    await fleet.stop();
  });
  const stuck = async () => {
    // Not by the transaction that holds the lock: what it sees of others stands still.
    const waiting = `datname = current_database() AND wait_event_type = 'Lock'`;
    const [row] = await runSql(fleet.database.url, `SELECT count(*)::int AS n FROM pg_stat_activity WHERE ${waiting}`);
    return row.n as number;
  };

  it('row 22: known callers are served and renewals go on, nothing piles up in the database, and it heals', async () => {
    await other.query('BEGIN; LOCK TABLE clients, keys IN ACCESS EXCLUSIVE MODE');
    const asked = Promise.all(Array.from({ length: 30 }, () => fleet.admin('GET', '/v1/clients')));
    await until(stuck, (queries) => queries >= 10);
    expect(await fleet.admin('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    const statuses: number[] = [];
    for (const end = performance.now() + 12_000; performance.now() < end;) {
      statuses.push((await fleet.token('eu', key)).status);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    const before = await fleet.calls('eu');
    expect((await fleet.token('eu', key, { query: '?min_ttl=54' })).status).toBe(200);
    expect((await fleet.calls('eu')).calls).toBeGreaterThan(before.calls);
    const refusals = (await asked).map(({ status, body }) => [status, body.code]);
    expect(refusals).toEqual(Array.from({ length: 30 }, () => [503, 'database_unavailable']));
    await until(stuck, (queries) => queries < 5); // PostgreSQL gave up those that nobody waits for
    await other.query('ROLLBACK');
    await until(
      () => fleet.admin('GET', '/health/ready'),
      ({ body }) => body.status === 'ready',
      20_000,
    );
    expect((await fleet.admin('GET', '/v1/clients')).status).toBe(200);
  }, 90_000);
});
