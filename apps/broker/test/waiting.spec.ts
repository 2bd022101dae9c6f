import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { startBroker } from '../../../test/harness/broker';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { startWire, type Wire } from '../../../test/harness/wire';
import { ask, until } from './fleet';

const env = {
  MASTER_KEYS: `a:${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`,
  BOOTSTRAP_ADMIN_KEY: 'an-admin-key-that-an-operator-chose-0001',
};
const authorization = `Bearer ${env.BOOTSTRAP_ADMIN_KEY}`;
const waits = 'waiting for the database';

describe('started while the database cannot be reached', () => {
  let database: TestDatabase;
  let wire: Wire;
  beforeAll(async () => {
    database = await createDatabase({ migrated: false });
    wire = await startWire(database.url);
  });
  afterAll(async () => {
    await wire.close();
    await database.drop();
  });

  it('lives, is not ready, half-serves nothing, and heals on the same port without a restart', async () => {
    wire.cut();
    const broker = await startBroker({ env: { ...env, DATABASE_URL: wire.url }, until: waits });
    const get = (path: string) => ask(`${broker.url}${path}`, 'GET', undefined, { authorization });
    expect(await get('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
    expect(await get('/health/ready')).toMatchObject({
      status: 503,
      body: { status: 'not_ready', checks: { database: 'does not answer' } },
    });
    for (const path of ['/v1/clients', '/v1/clients/eu/token', '/metrics', '/']) {
      const answer = await get(path);
      expect(answer).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
      expect(answer.headers.get('content-type')).toContain('application/problem+json');
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    for (const body of [{ name: 'x' }, '{"name', `"${'x'.repeat(2 * 1024 * 1024)}"`]) {
      const post = await ask(`${broker.url}/v1/clients`, 'POST', body, { authorization });
      expect(post).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
    }
    expect(await get('/%zz')).toMatchObject({ status: 503, body: { code: 'database_unavailable' } });
    const { host, pathname, password } = new URL(wire.url);
    expect(broker.output().match(/waiting for the database/g)).toHaveLength(1); // and again after half a minute
    expect(broker.output()).toContain(host + pathname);
    expect(broker.output()).not.toContain(password);

    wire.mend();
    const ready = await until(
      () => get('/health/ready').catch(() => undefined),
      (answer) => answer?.status === 200,
    );
    expect(ready!.body).toMatchObject({ status: 'ready', checks: { database: 'ok', migrations: 'ok' } });
    expect((await get('/v1/clients')).status).toBe(200);
    expect(await broker.kill('SIGTERM')).toBe(0);
  });

  it('waits for a database that is starting up, and ends at once when it is told to', async () => {
    const said = Buffer.from('SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0');
    const length = Buffer.alloc(4);
    length.writeInt32BE(said.length + 4);
    const starting = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .once('data', () => socket.end(Buffer.concat([Buffer.from('E'), length, said])));
    }).listen(0, '127.0.0.1');
    await once(starting, 'listening');
    const { port } = starting.address() as AddressInfo;
    const url = `postgresql://me:hush-canary@127.0.0.1:${port}/x`;
    const broker = await startBroker({ env: { ...env, DATABASE_URL: url }, until: waits });
    expect(broker.output()).not.toContain('hush-canary');
    const toldAt = Date.now();
    expect(await broker.kill('SIGTERM')).toBe(0);
    expect(Date.now() - toldAt).toBeLessThan(3_000);
    starting.close();
  });

  it.each(['no-such-host.invalid', '127.0.0.1:1'])('waits where nothing answers: %s', async (host) => {
    const url = `postgresql://me:hush-canary@${host}/x`;
    const broker = await startBroker({ env: { ...env, DATABASE_URL: url }, until: waits });
    expect((await ask(`${broker.url}/health/ready`, 'GET', undefined, {})).status).toBe(503);
    expect(broker.output()).not.toContain('hush-canary');
    expect(await broker.kill('SIGINT')).toBe(0);
  });
});
