import { runSql } from '../../../test/harness/database';
import { ask, type Fleet, startFleet } from './fleet';

const master = (kid: string, text: string) => `${kid}:${Buffer.from(text.padEnd(32, text)).toString('base64')}`;
const [k1, k2, otherK2, k3] = [master('k1', 'abc'), master('k2', 'xyz'), master('k2', 'uvw'), master('k3', 'rst')];

describe('master keys that are not the same everywhere', () => {
  let fleet: Fleet;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet(1, { MASTER_KEYS: `${k2},${k1}` });
    await fleet.register('eu');
    key = await fleet.service('reader', 'eu');
  }, 60_000);
  afterAll(() => fleet.stop());
  const ready = async (broker: number) => ask(`${fleet.brokers[broker]!.url}/health/ready`, 'GET', undefined, {});

  it('row 36: a replica that lacks one, or has another by its name, is not ready and says which; the others serve', async () => {
    await Promise.all([
      fleet.addBroker({ MASTER_KEYS: k1 }).then(async ({ url }) => {
        const { status, body } = await ask(`${url}/health/ready`, 'GET', undefined, {});
        expect(status).toBe(503);
        expect(body).toMatchObject({ status: 'not_ready', checks: { database: 'ok' } });
        expect(body.checks.keys).toMatch(/^missing: k2 \(for .*clients/);
      }),
      fleet.addBroker({ MASTER_KEYS: `${otherK2},${k1}` }).then(async ({ url }) => {
        const { status, body } = await ask(`${url}/health/ready`, 'GET', undefined, {});
        expect(status).toBe(503);
        expect(body.checks.keys).toMatch(/^k2 is another key than the one/);
      }),
    ]);
    expect(await ready(0)).toMatchObject({ status: 200, body: { status: 'ready', checks: { keys: 'ok' } } });
    expect((await fleet.token('eu', key)).status).toBe(200);
  }, 60_000);

  it('one that has none of them puts nothing in the place of what the others have: no admin key, no preset', async () => {
    const stored = () =>
      runSql(
        fleet.database.url,
        `SELECT kid FROM (
      SELECT mac_kid AS kid FROM provider_versions UNION ALL SELECT pepper_kid FROM keys) AS all_kids ORDER BY kid`,
      );
    const before = await stored();
    const { url } = await fleet.addBroker({ MASTER_KEYS: k3 });
    expect((await ask(`${url}/health/ready`, 'GET', undefined, {})).body.checks.keys).toMatch(/^missing: k2/);
    expect(await stored()).toEqual(before);
    expect((await fleet.admin('GET', '/v1/clients')).status).toBe(200); // by the bootstrap key, which k3 knows too
    await fleet.addBroker();
    expect(await ready(fleet.brokers.length - 1)).toMatchObject({ status: 200, body: { checks: { keys: 'ok' } } });
  }, 60_000);

  it('row 37: a client that nobody can open makes no replica unfit, and fails alone', async () => {
    const header = Buffer.from(JSON.stringify({ alg: 'A256KW', enc: 'A256GCM', kid: 'k9', ctx: '[]' }));
    await fleet.register('poison', { verify: false });
    const sealed = `${header.toString('base64url')}.a.b.c.d`;
    await runSql(fleet.database.url, `UPDATE clients SET sealed_inputs = '${sealed}' WHERE name = 'poison'`);
    const broker = fleet.brokers.length;
    await fleet.addBroker();
    expect(await ready(broker)).toMatchObject({ status: 200, body: { checks: { keys: 'ok' } } });
    expect((await fleet.token('eu', key, { broker })).status).toBe(200);
  });
});
