import { mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from '../../../test/harness/broker';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { startSimulator } from '../../simulator/src/simulator';
import { ask } from './fleet';
import { acme } from './own-definitions';

const master = (text: string) => Buffer.from(text.padEnd(32, text)).toString('base64');

describe('starting', () => {
  let folder: string;
  let database: TestDatabase;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-start-'));
    database = await createDatabase({ migrated: false });
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await database.drop();
  });
  const refused = async (env: Record<string, string>) => {
    const broker = await startBroker({ env: { DATA_DIR: join(folder, 'unused'), ...env } }).catch(
      (error: Error) => error,
    );
    if (broker instanceof Error) return broker.message;
    await broker.stop();
    throw new Error('it started');
  };

  it('is refused with every fault listed at once', async () => {
    const said = await refused({
      PORT: 'eighty',
      DATABASE_URL: 'mysql://x',
      REDIS_URL: 'localhost',
      ROLES: 'serve,cook',
      LOG_LEVEL: 'loud',
      ALLOWED_PROVIDER_HOSTS: 'http://127.0.0.1:9000,nonsense',
      BOOTSTRAP_ADMIN_KEY: 'short',
    });
    for (const name of [
      'PORT',
      'DATABASE_URL',
      'REDIS_URL',
      'ROLES',
      'LOG_LEVEL',
      'ALLOWED_PROVIDER_HOSTS',
      'BOOTSTRAP_ADMIN_KEY',
      'MASTER_KEYS',
    ]) {
      expect(said).toContain(`- ${name}`);
    }
  });

  it.each([
    ['missing', {}, /MASTER_KEYS is missing.*openssl rand/],
    ['short', { MASTER_KEYS: `a:${Buffer.from('short').toString('base64')}` }, /5 bytes instead of 32/],
    ['repeated', { MASTER_KEYS: `a:${master('abc')},a:${master('xyz')}` }, /"a" is repeated/],
    ['given twice', { MASTER_KEYS: `a:${master('abc')}`, MASTER_KEYS_COMMAND: 'echo x' }, /both set/],
    ['from a command that fails', { MASTER_KEYS_COMMAND: 'exit 3' }, /MASTER_KEYS_COMMAND failed \(3\)/],
    [
      'in a file that is not there',
      { MASTER_KEYS_FILE: '/nowhere' },
      /MASTER_KEYS_FILE: \/nowhere cannot be read \(ENOENT\)/,
    ],
  ])('is refused when MASTER_KEYS is %s', async (_, env, fault) => {
    expect(await refused({ DATABASE_URL: 'postgresql://localhost/x', ...(env as Record<string, string>) })).toMatch(
      fault,
    );
  });

  it.each([
    [
      'with another password',
      (url: URL) => (url.password = 'hush-canary'),
      /password authentication failed|cannot be used/i,
    ],
    ['by a name that it does not have', (url: URL) => (url.pathname = '/nowhere'), /\/nowhere cannot be used/],
  ])('is refused when the database answers and cannot be used %s', async (_, change, fault) => {
    const url = new URL(database.url);
    const password = decodeURIComponent(url.password);
    change(url);
    const said = await refused({ DATABASE_URL: url.href, MASTER_KEYS: `a:${master('abc')}` });
    expect(said).toMatch(fault);
    expect(said).not.toContain('hush-canary');
    if (password) expect(said).not.toContain(password);
  });

  it('is refused when REDIS_URL is malformed, with the form that it must have and without a word of its password', async () => {
    const env = { DATABASE_URL: 'postgresql://localhost/x', MASTER_KEYS: `a:${master('abc')}` };
    const said = await refused({ ...env, REDIS_URL: 'redis+sentinel://:hush-canary@one:26379,two' });
    expect(said).toMatch(/- REDIS_URL does not name the master.*redis\+sentinel:.*\/mymaster/);
    expect(said).not.toContain('hush-canary');
    const both = await refused({ ...env, REDIS_URL: 'redis://:hush-canary@one/notanumber', PORT: 'eighty' });
    expect(both).toMatch(/- REDIS_URL names a database that is not a number; it must have the form/);
    expect(both).toContain('- PORT');
    expect(both).not.toContain('hush-canary');
  });

  it('takes its master keys from a file or a command, and migrates an empty database', async () => {
    const file = join(folder, 'keys');
    writeFileSync(file, `a:${master('abc')}\n`);
    const env = { DATABASE_URL: database.url };
    const first = await startBroker({ env: { ...env, MASTER_KEYS_FILE: file } });
    const key = /tba_\w+/.exec(first.output())?.[0];
    expect(key).toBeDefined();
    expect(first.output()).toContain('expires at'); // a bootstrap key on a real database is for making a lasting one
    expect((await ask(`${first.url}/health/ready`, 'GET', undefined, {})).body).toMatchObject({ status: 'ready' });
    await first.stop();
    const second = await startBroker({ env: { ...env, MASTER_KEYS_COMMAND: `cat ${file}` } });
    expect(second.output()).not.toContain('tba_');
    const answer = await ask(`${second.url}/v1/clients`, 'GET', undefined, { authorization: `Bearer ${key}` });
    expect(answer.status).toBe(200);
    await second.stop();
  });

  it('embedded: of two first starts on one folder one is refused, and the key of the other is the one that is kept', async () => {
    const env = { DATA_DIR: join(folder, 'contended') };
    const starts = await Promise.allSettled([startBroker({ env }), startBroker({ env })]);
    const [running, ...others] = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    expect(others).toEqual([]);
    const key = /tba_\w+/.exec(running!.output())![0];
    await running!.stop();
    const again = await startBroker({ env });
    // Its pepper comes from the master key: it opens nothing under another.
    const answer = await ask(`${again.url}/v1/clients`, 'GET', undefined, { authorization: `Bearer ${key}` });
    await again.stop();
    expect(answer.status).toBe(200);
  }, 60_000);

  it('embedded: makes and prints keys once, says what embedded means, and keeps its clients over a restart', async () => {
    const simulator = await startSimulator({ port: 0 });
    const dataDir = join(folder, 'data');
    const env = { DATA_DIR: dataDir, ALLOWED_PROVIDER_HOSTS: simulator.url };
    try {
      const first = await startBroker({ env });
      const said = first.output();
      const key = /tba_\w+/.exec(said)![0];
      expect(said).toMatch(/runs embedded/);
      expect(said).toMatch(/one process only/);
      expect(said).toMatch(/in the memory of this process/);
      expect(statSync(join(dataDir, 'master.keys')).mode & 0o777).toBe(0o600);
      const admin = (url: string, path: string, body?: object) =>
        ask(`${url}${path}`, body ? 'POST' : 'GET', body, { authorization: `Bearer ${key}` });
      await ask(`${simulator.url}/_control/clients/k`, 'PUT', { secret: 's' }, {});
      const inputs = { base_url: simulator.url, key: 'k', secret: 's' };
      expect((await admin(first.url, '/v1/clients', { name: 'eu', provider: 'capillary', inputs })).status).toBe(201);
      expect((await admin(first.url, '/v1/providers', { definition: acme('own') })).status).toBe(201);
      await admin(first.url, '/v1/services', { name: 'reader' });
      await admin(first.url, '/v1/grants', { service: 'reader', client: 'eu' });
      const serviceKey = (await admin(first.url, '/v1/services/reader/keys', {})).body.key;
      await first.stop();

      const second = await startBroker({ env });
      expect(second.output()).not.toContain('tba_');
      const token = await ask(`${second.url}/v1/clients/eu/token`, 'GET', undefined, {
        authorization: `Bearer ${serviceKey}`,
      });
      expect(token.status).toBe(200);
      expect((await admin(second.url, '/v1/providers/acme')).body).toMatchObject({ version: 1, title: 'Acme own' });
      expect((await admin(second.url, '/v1/clients/eu')).body).toMatchObject({ provider_version: 1 });
      await second.stop();

      unlinkSync(join(dataDir, 'master.keys'));
      expect(await refused({ DATA_DIR: dataDir })).toMatch(/master\.keys is gone/);
    } finally {
      await simulator.close();
    }
  }, 90_000);
});
