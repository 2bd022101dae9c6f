import { InvalidDefinition, loadPresets, type Preset, readDefinition } from '#providers';
import { Attestations, CannotOpen, KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { Clients } from './clients';
import { LoadedClients } from './loaded-clients';
import { type Database, openDatabase, postgresAdapter } from './database';
import { Definitions } from './definitions';
import {
  AlreadyExists,
  DefinitionUnusable,
  NotFound,
  ProviderInUse,
  ProviderIsPreset,
  UnknownProvider,
  VersionMismatch,
} from './errors';

const by = { actor: 'admin:test' };
const oldKey = newMasterKey('k1');
const [vault, attestations] = [new Vault(KeyRing.parse(oldKey)), new Attestations(KeyRing.parse(oldKey))];
const acme = (title: string, id = 'acme') => `
id: ${id}
title: ${title}
inputs: { key: { secret: true } }
steps: [{ id: token, method: POST, url: 'https://acme.example/token', body: { form: { key: '{{inputs.key}}' } } }]
token: { value: '{{steps.token.body.token}}', expiry: [{ fixed_s: 60 }] }
present: { headers: { authorization: 'Bearer {{token}}' } }
`;
const preset = (source: string): Preset => ({ source, definition: readDefinition(source).definition });

describe('definitions', () => {
  let testDatabase: TestDatabase;
  let db: Database;
  let definitions: Definitions;
  let clients: Clients;
  let loaded: LoadedClients;
  const open = (presets: Map<string, Preset> = loadPresets(), keys = attestations) =>
    new Definitions(db, keys, presets);

  beforeAll(async () => {
    testDatabase = await createDatabase();
    db = openDatabase(postgresAdapter(testDatabase.url));
  });
  afterAll(async () => {
    await db.$disconnect();
    await testDatabase.drop();
  });
  beforeEach(async () => {
    await db.$executeRaw`TRUNCATE provider_versions, clients, audit_entries CASCADE`;
    definitions = open();
    await definitions.storePresets();
    clients = new Clients(db, vault, definitions);
    loaded = new LoadedClients(db, vault, definitions);
  });

  const register = async (name: string, provider = 'acme', version?: number) => {
    const definition = await definitions.choose(provider, version);
    const plain: Record<string, string> =
      provider === 'capillary' ? { base_url: 'https://eu.api.capillarytech.com' } : {};
    const inputs = { definition, plain, secret: { key: new Secret('hush') } };
    return clients.register({ name, labels: {}, renewal: {}, condition: 'fresh' }, inputs, by);
  };
  const opened = async (id: string, by_ = loaded) => (await (await by_.load(id))!.inputs())['key'] as Secret;
  const fulfilled = <T>(outcomes: PromiseSettledResult<T>[]) =>
    outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []));
  const audit = async () => (await db.auditEntry.findMany({ orderBy: { seq: 'asc' } })).map(({ action }) => action);

  it('store the presets once, however many replicas start at once, and then ask one question at each start', async () => {
    for (let i = 0; i < 5; i++) {
      await db.$executeRaw`TRUNCATE provider_versions, audit_entries`;
      await Promise.all(Array.from({ length: 8 }, () => open().storePresets()));
    }
    const rows = await db.providerVersion.findMany({ orderBy: { provider: 'asc' } });
    expect(rows.map(({ provider, version, preset: is }) => [provider, version, is])).toEqual(
      [...loadPresets().keys()].sort().map((id) => [id, 1, true]),
    );
    expect(await audit()).toEqual(['presets.stored']);
    const asked: string[] = [];
    const watched = db.$extends({
      query: { $allOperations: ({ operation, args, query }) => (asked.push(operation), query(args)) },
    });
    await new Definitions(watched as unknown as Database, attestations, loadPresets()).storePresets();
    expect(asked).toEqual(['findMany']);
  });

  it('keep each client on the text that it was registered with when an update brings another', async () => {
    const first = open(new Map([['shipped', preset(acme('One', 'shipped'))]]));
    await first.storePresets();
    const second = open(new Map([['shipped', preset(acme('Two', 'shipped'))]]));
    await second.storePresets();
    // Side by side, each replica registers by its own text; a step back to the first needs no third version.
    expect(await first.choose('shipped')).toMatchObject({ version: 1, definition: { title: 'One' } });
    expect(await second.choose('shipped')).toMatchObject({ version: 2, definition: { title: 'Two' } });
    expect(await second.load('shipped', 1)).toMatchObject({ preset: true, definition: { title: 'One' } });
    const back = open(new Map([['shipped', preset(acme('One', 'shipped'))]]));
    await back.storePresets();
    expect(await back.choose('shipped')).toMatchObject({ version: 1 });
    expect(await back.currentVersions(['shipped', 'nobody'])).toEqual(new Map([['shipped', 1]]));
    expect(await db.providerVersion.count({ where: { provider: 'shipped' } })).toBe(2);
  });

  it('give a client written by a replica that knows no versions the first version of its preset', async () => {
    const { id } = await register('old', 'capillary');
    await db.$executeRaw`UPDATE clients SET provider_version = DEFAULT WHERE name = 'old'`;
    expect(await clients.get('old')).toMatchObject({ providerVersion: 1 });
    // And what it sealed, without a word of the text, opens.
    const place = { clientId: id, secretVersion: 1, provider: 'capillary', tokenHost: 'eu.api.capillarytech.com' };
    const sealed = await vault.seal(new Secret('{"key":"hush"}'), place);
    await db.client.update({ where: { id }, data: { sealedInputs: sealed } });
    expect((await opened(id)).reveal()).toBe('hush');
  });

  it('change by a new version, for who saw the present one, and leave every client where it is', async () => {
    await definitions.create(acme('One'), by);
    await register('pinned');
    expect(await definitions.change('acme', acme('Two'), 1, by)).toMatchObject({ version: 2 });
    await expect(definitions.change('acme', acme('Three'), 1, by)).rejects.toThrow(VersionMismatch);
    expect(await clients.get('pinned')).toMatchObject({ providerVersion: 1 });
    expect((await loaded.load((await clients.get('pinned')).id))!.definition.title).toBe('One');
    expect(await definitions.get('acme')).toMatchObject({ version: 2, definition: { title: 'Two' } });
    // An earlier text is a new version all the same; the present text is none.
    expect(await definitions.change('acme', acme('One'), 2, by)).toMatchObject({ version: 3 });
    expect(await definitions.change('acme', acme('One'), 3, by)).toMatchObject({ version: 3 });
    const { items } = await definitions.versions('acme', { limit: 10 });
    expect(items.map(({ version, clients: n }) => [version, n])).toEqual([
      [3, 0],
      [2, 0],
      [1, 1],
    ]);
    const changes = ['provider.created', 'client.created', 'provider.changed', 'provider.changed'];
    expect(await audit()).toEqual(['presets.stored', ...changes]);
  });

  it('let one of many creations and one of many changes at once through', async () => {
    const creations = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) => definitions.create(acme(`N${i}`), by)),
    );
    expect(fulfilled(creations)).toHaveLength(1);
    const changes = await Promise.allSettled(
      Array.from({ length: 6 }, (_, i) => definitions.change('acme', acme(`C${i}`), 1, by)),
    );
    expect(fulfilled(changes).map(({ version }) => version)).toEqual([2]);
    for (const outcome of [...creations, ...changes]) {
      if (outcome.status === 'rejected') expect([AlreadyExists, VersionMismatch]).toContain(outcome.reason.constructor);
    }
    expect(await audit()).toEqual(['presets.stored', 'provider.created', 'provider.changed']);
  });

  it('are not deleted from under a client, also not one that is being registered at that moment', async () => {
    for (let i = 0; i < 10; i++) {
      const id = `busy-${i}`;
      await definitions.create(acme('One', id), by);
      const [registered, deleted] = await Promise.allSettled([register(`c-${i}`, id), definitions.delete(id, by)]);
      expect([registered.status, deleted.status].sort()).toEqual(['fulfilled', 'rejected']);
      if (deleted.status === 'rejected') expect(deleted.reason).toBeInstanceOf(ProviderInUse);
      else expect((registered as PromiseRejectedResult).reason).toBeInstanceOf(UnknownProvider);
    }
  });

  it('are gone once deleted, and their numbers never stand for another text', async () => {
    await definitions.create(acme('One'), by);
    await definitions.delete('acme', by);
    await expect(definitions.get('acme')).rejects.toThrow(NotFound);
    await expect(definitions.get('acme', 1)).rejects.toThrow(NotFound);
    await expect(definitions.choose('acme')).rejects.toThrow(UnknownProvider);
    await expect(definitions.delete('acme', by)).rejects.toThrow(NotFound);
    await expect(definitions.change('acme', acme('Two'), 1, by)).rejects.toThrow(NotFound);
    expect((await definitions.list({ limit: 50 })).items.map(({ provider }) => provider)).not.toContain('acme');
    expect(await definitions.create(acme('Other'), by)).toMatchObject({ version: 2 });
    expect((await definitions.versions('acme', { limit: 10 })).items.map(({ version }) => version)).toEqual([2]);
    await expect(definitions.get('acme', 1)).rejects.toThrow(NotFound);
    await expect(definitions.choose('acme', 1)).rejects.toThrow(UnknownProvider);
  });

  it('refuse the name of a preset, and another name than their own', async () => {
    for (const change of [
      () => definitions.create(acme('Mine', 'capillary'), by),
      () => definitions.change('capillary', acme('Mine', 'capillary'), 1, by),
      () => definitions.delete('capillary', by),
    ]) {
      await expect(change()).rejects.toThrow(ProviderIsPreset);
    }
    await definitions.create(acme('One'), by);
    await expect(definitions.change('acme', acme('One', 'other'), 1, by)).rejects.toThrow(InvalidDefinition);
    // Nor a preset that only a newer replica has.
    await open(new Map([['newer', preset(acme('New', 'newer'))]])).storePresets();
    await expect(definitions.create(acme('Mine', 'newer'), by)).rejects.toThrow(ProviderIsPreset);
  });

  it('of an admin keep their name and their clients when an update brings a preset of that name', async () => {
    await definitions.create(acme('Mine'), by);
    const { id } = await register('mine');
    const updated = open(new Map([['acme', preset(acme('Shipped'))]]));
    expect(await updated.storePresets()).toEqual(['acme']);
    expect(await updated.choose('acme')).toMatchObject({ version: 1, preset: false, definition: { title: 'Mine' } });
    expect(await updated.change('acme', acme('Mine too'), 1, by)).toMatchObject({ version: 2 });
    expect((await opened(id)).reveal()).toBe('hush');
    await clients.delete('mine', by);
    await updated.delete('acme', by);
    expect(await updated.choose('acme')).toMatchObject({ version: 3, preset: true, definition: { title: 'Shipped' } });
  });

  it.each([
    ['its text was changed', `source = replace(source, 'acme.example/token', 'acme.example/else')`],
    ['text and digest were changed', `source = 'x', digest = encode(sha256('x'), 'hex')`],
    ['it was passed off as a preset', 'preset = true'],
    ['it stands under another number', 'version = 7'],
    ['it stands under another name', `provider = 'other'`],
    ['its attestation was cut', `mac = substr(mac, 1, 16)`],
    ['it names a key that is not there', `mac_kid = 'k9'`],
  ])('serve nobody, and nobody else worse, after, by SQL, %s', async (_, change) => {
    await definitions.create(acme('One'), by);
    await definitions.create(acme('Fine', 'fine'), by);
    const [{ id }, fine] = [await register('victim'), await register('fine', 'fine')];
    await db.$executeRawUnsafe(`UPDATE provider_versions SET ${change} WHERE provider = 'acme'`);
    await db.$executeRawUnsafe(
      `UPDATE clients c SET provider_version = p.version, provider = p.provider
       FROM provider_versions p WHERE c.name = 'victim' AND p.provider IN ('acme', 'other')`,
    );
    const restarted = open();
    await restarted.storePresets();
    const after = new LoadedClients(db, vault, restarted);
    await expect(after.load(id)).rejects.toThrow(DefinitionUnusable);
    await expect(after.load(id)).rejects.toThrow(CannotOpen);
    expect((await opened(fine.id, after)).reveal()).toBe('hush');
    const listed = (await restarted.list({ limit: 50 })).items.filter(({ fault }) => fault !== undefined);
    expect(listed).toHaveLength(1);
  });

  it('open no secret of a client that was led to another version, or to the same number of an earlier life, by SQL', async () => {
    await definitions.create(acme('One'), by);
    await definitions.change('acme', acme('Two'), 1, by);
    const { id } = await register('victim', 'acme', 2);
    await db.$executeRaw`UPDATE clients SET provider_version = 1 WHERE name = 'victim'`;
    await expect(opened(id)).rejects.toThrow(CannotOpen);
    // A row that was ours once, put back in place of what has its number now.
    await db.$executeRaw`DELETE FROM provider_versions WHERE version = 2`;
    await open().change('acme', acme('Other two'), 1, by);
    await db.$executeRaw`UPDATE clients SET provider_version = 2 WHERE name = 'victim'`;
    await expect(opened(id, new LoadedClients(db, vault, open()))).rejects.toThrow(CannotOpen);
  });

  it.each(['', `, digest = 'x'`])(
    'a preset whose row was altered is stored anew, and new clients get that',
    async (more) => {
      await db.$executeRawUnsafe(`UPDATE provider_versions SET source = 'evil' ${more} WHERE provider = 'capillary'`);
      const restarted = open();
      await restarted.storePresets();
      expect(await restarted.choose('capillary')).toMatchObject({ version: 2, definition: { title: 'Capillary' } });
      await expect(restarted.load('capillary', 1)).rejects.toThrow(DefinitionUnusable);
    },
  );

  it('of an admin that were altered are mended by sending the text again', async () => {
    await definitions.create(acme('One'), by);
    await db.$executeRaw`UPDATE provider_versions SET source = 'evil' WHERE provider = 'acme'`;
    expect(await open().change('acme', acme('One'), 1, by)).toMatchObject({ version: 2 });
  });

  it('are attested anew at a start under a new master key, so that the old one can be retired', async () => {
    await definitions.create(acme('One'), by);
    const newKey = newMasterKey('k2');
    const both = open(loadPresets(), new Attestations(KeyRing.parse(`${newKey},${oldKey}`)));
    await both.storePresets();
    const alone = open(loadPresets(), new Attestations(KeyRing.parse(newKey)));
    await alone.storePresets();
    expect(await alone.choose('acme')).toMatchObject({ version: 1, definition: { title: 'One' } });
    expect(await alone.choose('capillary')).toMatchObject({ version: 1 });
  });

  it('go on serving what was loaded once while the database is away', async () => {
    await definitions.create(acme('One'), by);
    await definitions.load('acme', 1);
    await db.$executeRaw`ALTER TABLE provider_versions RENAME TO hidden`;
    try {
      expect(await definitions.load('acme', 1)).toMatchObject({ definition: { title: 'One' } });
      await expect(open().load('acme', 1)).rejects.toThrow(/provider_versions/);
    } finally {
      await db.$executeRaw`ALTER TABLE hidden RENAME TO provider_versions`;
    }
  });

  it('change together with their audit row or not at all', async () => {
    await definitions.create(acme('One'), by);
    await db.$executeRaw`ALTER TABLE audit_entries RENAME TO hidden`;
    try {
      for (const change of [
        () => definitions.create(acme('Two', 'two'), by),
        () => definitions.change('acme', acme('Two'), 1, by),
        () => definitions.delete('acme', by),
      ]) {
        await expect(change()).rejects.toThrow(/audit_entries/);
      }
    } finally {
      await db.$executeRaw`ALTER TABLE hidden RENAME TO audit_entries`;
    }
    const own = await db.providerVersion.findMany({ where: { preset: false } });
    expect(own).toMatchObject([{ provider: 'acme', version: 1, deletedAt: null }]);
  });
});
