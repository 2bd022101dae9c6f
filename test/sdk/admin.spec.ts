import { type Fleet, startFleet } from '../../apps/broker/test/fleet';
import { type Admin, type EventView, RequestRefused, TokenBroker, VersionMismatch } from '#sdk';
import { startBroker } from '../harness/broker';
import { freePort } from '../harness/free-port';

describe('the administration of a broker', () => {
  let fleet: Fleet;
  let admin: Admin;

  beforeAll(async () => {
    fleet = await startFleet(1, { PORT: String(await freePort()) });
    const key = fleet.env['BOOTSTRAP_ADMIN_KEY']!;
    ({ admin } = new TokenBroker({ url: fleet.brokers[0]!.url, key }));
    await fleet.control('PUT', '/clients/k', { secret: 's' });
  }, 60_000);
  afterAll(() => fleet?.stop());

  const inputs = () => ({ base_url: fleet.simulator.url, key: 'k', secret: 's' });

  it('takes a service from nothing to a token', async () => {
    await admin.clients.create({ name: 'eu', provider: 'capillary', inputs: inputs(), labels: { team: 'loyalty' } });
    await admin.services.create('checkout');
    const issued = await admin.services.issueKey('checkout', { expiresAt: new Date(Date.now() + 3_600_000) });
    await admin.grants.create({ service: 'checkout', label: 'team=loyalty' });
    const service = new TokenBroker({ url: fleet.brokers[0]!.url, key: issued.key });
    expect((await service.getToken('eu')).client).toBe('eu');
    expect((await admin.services.keys('checkout')).map(({ id }) => id)).toEqual([issued.view.id]);
    await expect(service.admin.clients.get('eu')).rejects.toMatchObject({ name: 'Forbidden', code: 'forbidden' });
    expect((await admin.clients.renew('eu')).condition).toBe('fresh');
    expect((await admin.clients.renewals('eu')).length).toBeGreaterThan(0);
  });

  it('loses no change of somebody else', async () => {
    const { version } = await admin.clients.get('eu');
    const changed = await admin.clients.update('eu', { labels: { team: 'a' } }, { version });
    expect(changed.labels).toEqual({ team: 'a' });
    const late = admin.clients.update('eu', { labels: { team: 'b' } }, { version });
    await expect(late).rejects.toBeInstanceOf(VersionMismatch);
    expect((await admin.clients.update('eu', { labels: {} }, { version: '*' })).labels).toEqual({});
  });

  it('says which part of a request is at fault', async () => {
    const refused = admin.clients.create({ name: 'No Name', provider: 'capillary', inputs: {} });
    await expect(refused).rejects.toBeInstanceOf(RequestRefused);
    await expect(refused).rejects.toMatchObject({ code: 'validation_failed', faults: [{ pointer: '/name' }] });
  });

  it('tells lists as long as they are, a page at a time', async () => {
    for (const name of ['p1', 'p2', 'p3', 'p4', 'p5']) await admin.services.create(name);
    const pages = admin.services.list({ limit: 2 });
    const { items, next_cursor } = await pages.page();
    expect([items.length, typeof next_cursor]).toEqual([2, 'string']);
    expect((await pages.toArray()).map(({ name }) => name)).toEqual(['checkout', 'p1', 'p2', 'p3', 'p4', 'p5']);
    expect((await admin.operations.audit({ target: 'service:p1' }).toArray()).map(({ action }) => action)).toEqual([
      'service.created',
    ]);
  });

  it('tells events as they happen, each once, also over a restart of the broker', async () => {
    const [newest] = (await admin.events.list({ order: 'desc', limit: 1 }).page()).items;
    const seen: EventView[] = [];
    const ending = new AbortController();
    const told = (async () => {
      for await (const event of admin.events.stream({ after: newest?.seq ?? '0', signal: ending.signal })) {
        seen.push(event);
        if (seen.length === 4) return;
      }
    })();
    const turn = async () => {
      await admin.clients.disable('eu');
      await admin.clients.enable('eu');
    };
    await turn();
    await fleet.brokers[0]!.kill('SIGTERM');
    fleet.brokers[0] = await startBroker({ env: fleet.env });
    await turn();
    while (seen.length < 4) await new Promise((resolve) => setTimeout(resolve, 50));
    await told;
    ending.abort();
    expect(new Set(seen.map(({ seq }) => seq)).size).toBe(4);
    expect(seen.map(({ kind, client }) => [kind, client])).toEqual(
      Array.from({ length: 4 }, () => ['client.condition_changed', 'eu']),
    );
  }, 60_000);
});
