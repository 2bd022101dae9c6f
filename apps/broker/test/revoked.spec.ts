import { Agent, request } from 'node:http';
import { runSql } from '../../../test/harness/database';
import { startWire, type Wire } from '../../../test/harness/wire';
import { type Fleet, startFleet, until } from './fleet';

describe('a key that was found to be revoked', () => {
  let fleet: Fleet;
  let postgres: Wire;
  beforeAll(async () => {
    fleet = await startFleet(0);
    postgres = await startWire(fleet.database.url);
    await fleet.addBroker({ DATABASE_URL: postgres.url });
    await fleet.register('eu');
  }, 60_000);
  afterAll(async () => {
    await fleet.stop();
    await postgres.close();
  });

  it('stays revoked on the connection that it had opened, though the database goes away', async () => {
    const key = await fleet.service('reader', 'eu');
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const status = () =>
      new Promise<number>((resolve, reject) => {
        const headers = { authorization: `Bearer ${key}` };
        request(`${fleet.brokers[0]!.url}/v1/clients/eu/token`, { agent, headers }, (answer) =>
          answer.resume().once('end', () => resolve(answer.statusCode!)),
        )
          .on('error', reject)
          .end();
      });
    expect(await status()).toBe(200);
    expect(await status()).toBe(200);
    await runSql(fleet.database.url, `UPDATE keys SET revoked_at = now() WHERE service_id IS NOT NULL`);
    await until(status, (seen) => seen === 401);
    postgres.cut();
    for (const end = Date.now() + 2_000; Date.now() < end;) {
      expect([401, 429]).toContain(await status());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    agent.destroy();
  });
});
