import { runSql } from '../../../test/harness/database';
import { ask, type Fleet, startFleet, until } from './fleet';
import { forgedKey } from './forged-key';

describe('two replicas and what changes behind their backs', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet(2);
    await fleet.register('eu', { labels: { team: 'loyalty' } });
  }, 60_000);
  afterAll(() => fleet.stop());

  const everywhere = (key: string) => Promise.all([0, 1].map((broker) => fleet.token('eu', key, { broker })));
  /** The statuses of both, as soon as they are what is waited for. */
  const settled = async (key: string, wanted: number): Promise<number[]> => {
    const answers = await until(
      () => everywhere(key),
      (all) => all.every(({ status }) => status === wanted),
    );
    return answers.map(({ status }) => status);
  };
  const sql = (text: string) => runSql(fleet.database.url, text);

  it.each([
    ['a key is revoked', `UPDATE keys SET revoked_at = now() WHERE service_id = $id`, 401],
    ['a key is deleted', `DELETE FROM keys WHERE service_id = $id`, 401],
    ['a service is deleted', `DELETE FROM services WHERE id = $id`, 401],
    ['a grant is taken back', `DELETE FROM grants WHERE service_id = $id`, 404],
    ['the client is disabled', `UPDATE clients SET enabled = false`, 409],
  ])('when %s by SQL, it acts on both', async (what, statement, wanted) => {
    const name = `svc-${what.replaceAll(' ', '-')}`;
    const key = await fleet.service(name, 'eu');
    expect(await settled(key, 200)).toEqual([200, 200]);
    await sql(statement.replace('$id', `(SELECT id FROM services WHERE name = '${name}')`));
    expect(await settled(key, wanted)).toEqual([wanted, wanted]);
    await sql(`UPDATE clients SET enabled = true`);
  });

  it('when an admin narrows a label, it acts on the replica that did not hear of it', async () => {
    const key = await fleet.service('by-label');
    expect(await settled(key, 404)).toEqual([404, 404]);
    await fleet.admin('POST', '/v1/grants', { service: 'by-label', label: 'team=loyalty' });
    expect(await settled(key, 200)).toEqual([200, 200]);
    const { headers } = await fleet.admin('GET', '/v1/clients/eu');
    const match = { 'if-match': headers.get('etag')! };
    await fleet.admin('PATCH', '/v1/clients/eu', { labels: { team: 'other' } }, match);
    expect(await settled(key, 404)).toEqual([404, 404]);
  });

  it('a key opens the doors of a replica that has never heard of it, at its first use', async () => {
    for (let i = 0; i < 5; i++) {
      const key = await fleet.service(`fresh-${i}`, 'eu');
      expect((await fleet.token('eu', key, { broker: 1 })).status).toBe(200);
    }
  });

  it('a first admin key opens the doors of a replica that was shown nonsense while there was none', async () => {
    const first = fleet.env['BOOTSTRAP_ADMIN_KEY']!;
    const admin = async (key: string) =>
      (await ask(`${fleet.brokers[1]!.url}/v1/clients`, 'GET', undefined, { authorization: `Bearer ${key}` })).status;
    await sql(`CREATE TABLE kept AS SELECT * FROM keys WHERE prefix = 'bootstrap'`);
    await sql(`DELETE FROM keys WHERE prefix = 'bootstrap'`);
    await until(
      () => admin(first),
      (status) => status === 401,
    );
    expect(await admin('nonsense')).toBe(401);
    await sql(`INSERT INTO keys SELECT * FROM kept`);
    await until(
      () => admin(first),
      (status) => status === 200,
      5_000,
    );
  });

  it('a flood of keys that there are not, but could be, costs the database next to nothing', async () => {
    const key = await fleet.service('beside-the-flood', 'eu');
    expect(await settled(key, 200)).toEqual([200, 200]);
    const counted = `SELECT calls FROM (SELECT xact_commit AS calls FROM pg_stat_database WHERE datname = current_database()) AS x`;
    const calls = async () => Number((await sql(counted))[0].calls);
    const before = await calls();
    const begun = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => fleet.token(`client-${i}`, forgedKey(), { broker: i % 2 })),
    );
    expect(answers.every(({ status }) => status === 401 || status === 429)).toBe(true);
    // Each replica looks for news at most twenty times a second, and has its regular work besides.
    const seconds = (performance.now() - begun) / 1_000 + 1;
    expect((await calls()) - before).toBeLessThan(2 * 40 * seconds);
    expect(await settled(key, 200)).toEqual([200, 200]);
  });
});
