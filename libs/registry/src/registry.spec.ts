import { loadPresets } from '#providers';
import { ApiKeys, Attestations, CannotOpen, KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { Access } from './access';
import { AdminKeys, bootstrapPrefix } from './admin-keys';
import { Clients } from './clients';
import { LoadedClients } from './loaded-clients';
import { type Database, openDatabase, postgresAdapter } from './database';
import { Definitions, type DefinitionVersion } from './definitions';
import { AlreadyExists, isDatabaseUnavailable, LastAdminKey, NotFound, VersionMismatch } from './errors';
import { Grants } from './grants';
import { Services } from './services';

const by = { actor: 'admin:test', requestId: 'r1' };
const ring = KeyRing.parse(newMasterKey('k1'));

describe('the registry', () => {
  let testDatabase: TestDatabase;
  let db: Database;
  let clients: Clients;
  let loaded: LoadedClients;
  let capillary: DefinitionVersion;
  const apiKeys = new ApiKeys(ring);

  beforeAll(async () => {
    testDatabase = await createDatabase();
    db = openDatabase(postgresAdapter(testDatabase.url));
    const definitions = new Definitions(db, new Attestations(ring), loadPresets());
    await definitions.storePresets();
    capillary = await definitions.choose('capillary');
    clients = new Clients(db, new Vault(ring), definitions);
    loaded = new LoadedClients(db, new Vault(ring), definitions);
  });
  afterAll(async () => {
    await db.$disconnect();
    await testDatabase.drop();
  });

  const inputs = (secret = 'hush') => ({
    definition: capillary,
    plain: { base_url: 'https://eu.api.capillarytech.com' },
    secret: { key: new Secret('k'), secret: new Secret(secret) },
  });
  const register = (name: string) =>
    clients.register({ name, labels: { team: 'a' }, renewal: {}, condition: 'fresh' }, inputs(), by);
  const opened = async (id: string) => (await (await loaded.load(id))!.inputs())['secret'] as Secret;
  const auditRows = (target: string) => db.auditEntry.count({ where: { target } });

  it('gives back sealed inputs to a renewal and to nobody else', async () => {
    const client = await register('sealed');
    expect(JSON.stringify([client, await clients.get('sealed'), await clients.list({ limit: 10 })])).not.toContain(
      'hush',
    );
    expect((await opened(client.id)).reveal()).toBe('hush');
    expect(JSON.stringify(await (await loaded.load(client.id))!.inputs())).not.toContain('hush');
  });

  it('knows clients apart that differ in an input, though it holds once what is the same', async () => {
    const regions = ['eu', 'us', 'eu'];
    const registered = regions.map((region, i) => {
      const given = { ...inputs(`of ${i}`), plain: { base_url: `https://${region}.api.capillarytech.com` } };
      return clients.register({ name: `apart-${i}`, labels: {}, renewal: {}, condition: 'fresh' }, given, by);
    });
    const ids = (await Promise.all(registered)).map(({ id }) => id);
    const found = await loaded.loadMany(ids);
    for (const [i, id] of ids.entries()) {
      const client = found.find((one) => one.id === id)!;
      const { secret, base_url } = await client.inputs();
      expect([client.hosts, base_url]).toEqual([
        `${regions[i]}.api.capillarytech.com`,
        `https://${regions[i]}.api.capillarytech.com`,
      ]);
      expect((secret as Secret).reveal()).toBe(`of ${i}`);
    }
  });

  it.each([
    [
      'its sealed inputs were moved to another row',
      `sealed_inputs = (SELECT sealed_inputs FROM clients WHERE name = 'other')`,
    ],
    ['its base_url was changed', `inputs = '{"base_url":"https://apac.api.capillarytech.com"}'`],
    ['its secret version was changed', `secret_version = 7`],
    [
      'its provider was changed',
      `provider = 'oauth2-client-credentials', inputs = '{"token_url":"https://eu.api.capillarytech.com/"}'`,
    ],
  ])('opens no secret of a client after, by SQL, %s', async (_, change) => {
    if (!(await clients.exists('other'))) await register('other');
    const { id } = await register('victim');
    await db.$executeRawUnsafe(`UPDATE clients SET ${change} WHERE name = 'victim'`);
    await expect(opened(id)).rejects.toThrow(CannotOpen);
    await clients.delete('victim', by);
  });

  it('commits a change and its audit row together or not at all', async () => {
    await register('audited');
    expect(await auditRows('client:audited')).toBe(1);
    await db.$executeRawUnsafe(`ALTER TABLE audit_entries RENAME TO hidden`);
    try {
      const changes: (() => Promise<unknown>)[] = [
        () => register('unaudited'),
        () => clients.update('audited', 1, { labels: {} }, by),
        () => clients.setEnabled('audited', false, by),
        () => clients.delete('audited', by),
        () => new Services(db, apiKeys).create('unaudited', by),
        () => new AdminKeys(db, apiKeys).issue('unaudited', 'admin', null, by),
      ];
      for (const change of changes) await expect(change()).rejects.toThrow(/audit_entries/);
    } finally {
      await db.$executeRawUnsafe(`ALTER TABLE hidden RENAME TO audit_entries`);
    }
    expect(await clients.get('audited')).toMatchObject({ version: 1, enabled: true, labels: { team: 'a' } });
    expect(await clients.exists('unaudited')).toBe(false);
    expect(await db.service.count()).toBe(0);
    expect(await db.key.count()).toBe(0);
  });

  it('lets one of many changes at once through', async () => {
    await register('contended');
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) => clients.update('contended', 1, { labels: { n: String(i) } }, by)),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(VersionMismatch);
    }
    expect(await auditRows('client:contended')).toBe(2);
  });

  it('one of many registrations of a name wins', async () => {
    const outcomes = await Promise.allSettled(Array.from({ length: 5 }, () => register('wanted')));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(AlreadyExists);
  });

  it('records conditions of many clients at once, and none of a client that was disabled meanwhile', async () => {
    const [a, b] = [await register('condition-a'), await register('condition-b')];
    await clients.setEnabled('condition-b', false, by);
    const failing = { condition: 'failing', reason: 'down' };
    await clients.recordConditions(new Map([a, b].map(({ id }) => [id, failing])));
    expect(await clients.get('condition-a')).toMatchObject(failing);
    expect(await clients.get('condition-b')).toMatchObject({ condition: 'disabled', reason: null });
  });

  it('records conditions though a reason holds what PostgreSQL cannot keep, as the words of a definition can', async () => {
    const [a, b] = [await register('condition-nul'), await register('condition-beside-nul')];
    const failing = (reason: string) => ({ condition: 'failing', reason });
    await clients.recordConditions(
      new Map([
        [a.id, failing('a\0b')],
        [b.id, failing('down')],
      ]),
    );
    expect(await clients.get('condition-nul')).toMatchObject(failing('a b'));
    expect(await clients.get('condition-beside-nul')).toMatchObject(failing('down'));
  });

  it('knows a service by its key, and what it was granted by name and by label', async () => {
    const [services, grants, access] = [new Services(db, apiKeys), new Grants(db), new Access(db)];
    const granted = await register('granted');
    await services.create('reader', by);
    const { key, prefix, id } = await services.issueKey('reader', null, by);
    const asked = async (...pairs: string[]) => Object.fromEntries((await access.grants(pairs)).found);
    expect(await asked('reader granted', 'nobody granted')).toEqual({ 'reader granted': {} });
    const grant = await grants.create('reader', { label: 'team=a' }, by);
    expect(await asked('reader granted', 'reader condition-a', 'reader ')).toEqual({
      'reader granted': { client: { clientId: granted.id, enabled: true } },
      'reader condition-a': expect.anything(),
      'reader ': {},
    });
    const stored = (await access.keys([prefix, 'tbk_nonsense'])).found;
    expect([...stored.keys()]).toEqual([prefix]);
    const { digest } = stored.get(prefix)!.stored;
    expect(digest.buffer.byteLength).toBe(digest.length); // thousands are kept, and none keeps the pool it came from
    expect(stored.get(prefix)).toMatchObject({ service: 'reader' });
    expect((await access.prefixes()).prefixes).toContain(prefix);
    expect(apiKeys.matches(key.reveal(), stored.get(prefix)!.stored)).toBe(true);
    await expect(grants.create('reader', { label: 'team=a' }, by)).rejects.toThrow(AlreadyExists);
    await expect(grants.create('nobody', { client: 'granted' }, by)).rejects.toThrow(NotFound);
    await grants.delete(grant.id, by);
    await services.revokeKey('reader', id, by);
    await services.revokeKey('reader', id, by);
    expect((await access.keys([prefix])).found.get(prefix)!.revokedAt).not.toBeNull();
    expect(await auditRows('service:reader')).toBe(5);
    await services.delete('reader', by);
    expect((await access.keys([prefix])).found.size).toBe(0);
  });

  it('bootstraps one admin key, however many replicas start at once, and again only when none is usable', async () => {
    const adminKeys = new AdminKeys(db, apiKeys);
    const made = await Promise.all(Array.from({ length: 6 }, () => adminKeys.bootstrap(undefined, null)));
    expect(made.filter((key) => key !== undefined)).toHaveLength(1);
    const [only] = await adminKeys.list();
    await expect(adminKeys.revoke(only!.id, by)).rejects.toThrow(LastAdminKey);
    await adminKeys.issue('late', 'admin', new Date(Date.now() - 1_000), by); // has expired: does not count
    await expect(adminKeys.revoke(only!.id, by)).rejects.toThrow(LastAdminKey);
    const second = await adminKeys.issue('second', 'admin', null, by);
    const both = await Promise.allSettled([only!.id, second.id].map((id) => adminKeys.revoke(id, by)));
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1); // two at once lock nobody out
    expect(await adminKeys.bootstrap(new Secret('chosen'), null)).toBeUndefined();
    // After its pepper left MASTER_KEYS the key opens nothing: somebody must be let in again.
    const rotated = new ApiKeys(KeyRing.parse(newMasterKey('k2')));
    const again = await new AdminKeys(db, rotated).bootstrap(new Secret('chosen-by-the-operator'), null);
    expect(again?.reveal()).toBe('chosen-by-the-operator');
    const { stored } = (await new Access(db).keys([bootstrapPrefix])).found.get(bootstrapPrefix)!;
    expect(rotated.matches('chosen-by-the-operator', stored)).toBe(true);
  });

  it('tells a database that is gone from a query that is wrong', async () => {
    const gone = openDatabase(postgresAdapter('postgresql://x:y@127.0.0.1:1/z'));
    const queries = [
      () => gone.client.count(),
      () => gone.$queryRaw`SELECT 1`,
      () => gone.$transaction((tx) => tx.client.count()),
    ];
    for (const query of queries) {
      const error: unknown = await query().then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(isDatabaseUnavailable(error)).toBe(true);
    }
    const wrong: unknown = await db.$queryRaw`SELECT nonsense`.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(wrong).toBeDefined();
    expect(isDatabaseUnavailable(wrong)).toBe(false);
  });
});
