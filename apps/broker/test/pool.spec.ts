import { Client } from 'pg';
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
    const { rows } = await other.query(
      `SELECT count(*)::int AS n FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows[0].n as number;
  };

  it('row 22: known callers are served and renewals go on, the database is not piled up on, and it heals', async () => {
    await other.query('BEGIN; LOCK TABLE clients, keys IN ACCESS EXCLUSIVE MODE');
    const asked = Promise.all(Array.from({ length: 30 }, () => fleet.admin('GET', '/v1/clients')));
    await until(stuck, (queries) => queries >= 10);
    const statuses: number[] = [];
    let most = 0;
    for (const end = performance.now() + 14_000; performance.now() < end;) {
      statuses.push((await fleet.token('eu', key)).status);
      if (statuses.length % 50 === 0) most = Math.max(most, await stuck());
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    expect(statuses.filter((status) => status !== 200)).toEqual([]);
    expect(statuses.length).toBeGreaterThan(200); // of which a second's wait for each would leave fourteen
    expect(most).toBeLessThanOrEqual(20); // those that were given up here, and not yet there, and those in their place
    const before = await fleet.calls('eu');
    expect((await fleet.token('eu', key, { query: '?min_ttl=54' })).status).toBe(200);
    expect((await fleet.calls('eu')).calls).toBeGreaterThan(before.calls);
    expect(await fleet.admin('GET', '/health/ready')).toMatchObject({ status: 200, body: { status: 'degraded' } });
    expect((await asked).every(({ status, body }) => status === 503 && body.code === 'database_unavailable')).toBe(
      true,
    );
    await other.query('ROLLBACK');
    await until(
      () => fleet.admin('GET', '/health/ready'),
      ({ body }) => body.status === 'ready',
      20_000,
    );
    expect((await fleet.admin('GET', '/v1/clients')).status).toBe(200);
  }, 90_000);
});
