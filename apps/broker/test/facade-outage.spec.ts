import { startWire, type Wire } from '../../../test/harness/wire';
import { type Answer, ask, type Fleet, startFleet } from './fleet';

describe('the facades while PostgreSQL is away', () => {
  let fleet: Fleet;
  let postgres: Wire;
  beforeAll(async () => {
    fleet = await startFleet();
    postgres = await startWire(fleet.database.url);
    await fleet.addBroker({ DATABASE_URL: postgres.url });
  });
  afterAll(async () => {
    await fleet.stop();
    await postgres.close();
  });

  it('serve whom they have served before, client named or not, and say 503 to whom they have not', async () => {
    const { url } = fleet.brokers[1]!;
    await fleet.register('eu');
    const [seen, unseen] = [await fleet.service('seen', 'eu'), await fleet.service('unseen', 'eu')];
    const oauth = (service: string, secret: string, more = {}) => {
      const form = { grant_type: 'client_credentials', client_id: service, client_secret: secret, ...more };
      const type = { 'content-type': 'application/x-www-form-urlencoded' };
      return ask(`${url}/oauth/token`, 'POST', new URLSearchParams(form).toString(), type);
    };
    const capillary = (key: string, secret: string) =>
      ask(`${url}/v3/oauth/token/generate`, 'POST', { key, secret }, {});
    const all = async (): Promise<Answer[]> => [
      await oauth('seen', seen),
      await oauth('seen', seen, { resource: 'eu' }),
      await capillary('seen', seen),
    ];
    const before = (await all()).map(({ status }) => status);
    postgres.cut();
    await new Promise((resolve) => setTimeout(resolve, 1_500)); // what is known of key and grants is no longer fresh
    const after = (await all()).map(({ status }) => status);
    expect([before, after]).toEqual([
      [200, 200, 200],
      [200, 200, 200],
    ]);
    for (const { status, headers, body } of [await oauth('unseen', unseen), await capillary('unseen', unseen)]) {
      expect([status, headers.get('retry-after')]).toEqual([503, '1']);
      expect(body.error ?? body.errors[0].code).toBe(body.error ? 'temporarily_unavailable' : 503);
    }
  });
});
