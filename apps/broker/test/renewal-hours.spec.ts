import { runSql } from '../../../test/harness/database';
import { type Fleet, startFleet, until } from './fleet';

describe('what a renewal that goes well costs PostgreSQL', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet(1);
  });
  afterAll(() => fleet.stop());

  const sql = (text: string) => runSql(fleet.database.url, text);
  /** Rows written so far to each table; PostgreSQL's own count, which an idle session is up to 10 s behind with. */
  const written = async () => {
    const rows = await sql(
      `SELECT relname AS table, (n_tup_ins + n_tup_upd + n_tup_del)::int AS rows FROM pg_stat_user_tables`,
    );
    return Object.fromEntries(rows.map(({ table, rows: count }) => [table, count])) as Record<string, number>;
  };
  const hours = async (): Promise<any[]> => (await fleet.admin('GET', '/v1/renewals')).body.items;

  it('is no row, and one of the hour for many of them, written once a minute or when the process ends', async () => {
    await fleet.register('busy', { ttlSeconds: 4 });
    await until(
      () => fleet.calls('busy'),
      ({ calls }) => calls >= 3,
    );
    const clients = await sql('SELECT xmin::text, * FROM clients');
    const before = await fleet.calls('busy');
    await until(
      () => fleet.calls('busy'),
      ({ calls }) => calls >= before.calls + 4,
      20_000,
    );
    expect(await sql('SELECT xmin::text, * FROM clients')).toEqual(clients); // the same rows, untouched
    expect(await sql('SELECT * FROM events')).toEqual([]);
    expect(await fleet.brokers[0]!.kill('SIGTERM')).toBe(0);
    const rows = await sql(
      'SELECT provider, outcome, reason, sum(count)::int AS count, count(*)::int AS rows FROM renewal_hours GROUP BY 1, 2, 3',
    );
    expect(rows).toMatchObject([{ provider: 'capillary', outcome: 'renewed', reason: '' }]);
    expect(rows[0].count).toBe((await fleet.calls('busy')).calls);
    expect(rows[0].rows).toBeLessThanOrEqual(2); // two, where the hour has just struck
    const total = await until(written, ({ renewal_hours }) => renewal_hours! > 0, 20_000);
    expect(total['events']).toBe(0);
    expect(total['renewal_hours']).toBeLessThanOrEqual(2);
    expect(total['clients']).toBeLessThanOrEqual(1); // the registration
  }, 90_000);

  it('failures are counted with their reason, and the next process adds to what the one before has written', async () => {
    const counted = async (outcome: string) =>
      (await hours()).filter((row) => row.outcome === outcome).reduce((sum, { count }) => sum + count, 0);
    await fleet.addBroker();
    fleet.brokers.shift();
    const before = await counted('renewed');
    await until(
      () => fleet.admin('POST', '/v1/clients/busy/renewals'),
      ({ body }) => body.outcome === 'renewed',
    );
    await fleet.control('PUT', '/clients/key-of-busy/modes', { outage: { status: 500 } });
    await until(
      () => fleet.admin('POST', '/v1/clients/busy/renewals'),
      ({ body }) => body.outcome === 'failed',
    );
    await fleet.control('DELETE', '/clients/key-of-busy/modes');
    expect(await fleet.brokers[0]!.kill('SIGTERM')).toBe(0);
    await fleet.addBroker();
    fleet.brokers.shift();
    expect(await counted('renewed')).toBeGreaterThan(before);
    expect(await counted('failed')).toBeGreaterThan(0);
    const [row] = (await hours()).filter(({ outcome }) => outcome === 'failed');
    expect(row).toMatchObject({ provider: 'capillary', reason: 'provider_unavailable' });
    expect(row).toMatchObject({ duration_ms_avg: expect.any(Number), duration_ms_max: expect.any(Number) });
  }, 60_000);

  it('hours are asked for by provider and by time, 90 days at most', async () => {
    const get = (query: string) => fleet.admin('GET', `/v1/renewals${query}`);
    expect((await get('?provider=nobody')).body).toEqual({ items: [] });
    expect((await get('?from=2020-01-01&to=2020-01-02T00:00:00Z')).body).toEqual({ items: [] });
    const one = (await get('?provider=capillary&limit=1')).body;
    expect(one.items).toHaveLength(1);
    expect((await get(`?provider=capillary&limit=1&cursor=${one.next_cursor}`)).body.items[0]).not.toEqual(
      one.items[0],
    );
    for (const query of [
      ...['?from=2020-01-01T00:00:00Z', '?from=2025-01-02T00:00:00Z&to=2025-01-01T00:00:00Z'],
      ...['yesterday', '2026-W05', '2026-001', '2026', '2026-01-01T00:00:00'].map((time) => `?from=${time}`),
      ...['02-31T00:00:00.000Z|a|b|c', '01-01T00:00:00.000Z|a\0|b|c'].map(
        (text) => `?cursor=${Buffer.from(`2020-${text}`).toString('base64url')}`,
      ),
    ]) {
      const answer = await get(query);
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
      expect(answer.body.errors[0].pointer).toMatch(/^\/(from|cursor)$/);
    }
  });
});
