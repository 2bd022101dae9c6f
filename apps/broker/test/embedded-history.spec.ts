import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningBroker, startBroker } from '../../../test/harness/broker';
import { type Simulator, startSimulator } from '../../simulator/src/simulator';
import { ask } from './fleet';
import { listen } from './listening';

const adminKey = 'an-admin-key-that-an-operator-chose-0001';
const headers = { authorization: `Bearer ${adminKey}` };

describe('the embedded database', () => {
  let folder: string;
  let simulator: Simulator;
  let broker: RunningBroker | undefined;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-history-'));
    simulator = await startSimulator({ port: 0 });
  });
  afterAll(async () => {
    await broker?.stop();
    await simulator.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const start = async () => {
    const env = { DATA_DIR: folder, ALLOWED_PROVIDER_HOSTS: simulator.url, BOOTSTRAP_ADMIN_KEY: adminKey };
    broker = await startBroker({ env });
  };
  const admin = (method: string, path: string, body?: unknown) => ask(`${broker!.url}${path}`, method, body, headers);

  it('keeps events and hours as PostgreSQL does, over a restart too', async () => {
    await start();
    await ask(`${simulator.url}/_control/clients/k`, 'PUT', { secret: 's', ttl_seconds: 300 }, {});
    const inputs = { base_url: simulator.url, key: 'k', secret: 's' };
    expect((await admin('POST', '/v1/clients', { name: 'eu', provider: 'capillary', inputs })).status).toBe(201);
    const listener = await listen(`${broker!.url}/v1/events`, headers);
    await ask(`${simulator.url}/_control/clients/k/modes`, 'PUT', { outage: { status: 500 } }, {});
    expect((await admin('POST', '/v1/clients/eu/renewals')).body).toMatchObject({ outcome: 'failed' });
    await listener.hears((heard) => heard.length === 1);
    await admin('POST', '/v1/clients/eu/disable');
    await listener.hears((heard) => heard.length === 2);
    expect(await broker!.kill('SIGTERM')).toBe(0);
    await listener.ended;
    await start();
    const events = await ask(`${broker!.url}/v1/events`, 'GET', undefined, { ...headers, accept: 'application/json' });
    expect(events.body.items.map((event: any) => event.detail.condition)).toEqual(['failing', 'disabled']);
    const hours: any[] = (await admin('GET', '/v1/renewals')).body.items;
    const counts = Object.fromEntries(hours.map(({ outcome, count }) => [outcome, count]));
    expect(counts).toEqual({ renewed: 1, failed: expect.any(Number) });
  }, 60_000);
});
