import { loadPresets } from '#providers';
import { ApiKeys, Attestations, KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { Clients } from './clients';
import { type Database, openDatabase, postgresAdapter } from './database';
import { Definitions } from './definitions';
import { MasterKeys } from './master-keys';
import { Services } from './services';

const by = { actor: 'admin:test', requestId: 'r1' };
const [k1, otherK1, k2, k10] = ['k1', 'k1', 'k2', 'k10'].map(newMasterKey) as [string, string, string, string];

describe('master keys, as the database knows them', () => {
  let testDatabase: TestDatabase;
  let db: Database;
  beforeEach(async () => {
    testDatabase = await createDatabase();
    db = openDatabase(postgresAdapter(testDatabase.url));
  });
  afterEach(async () => {
    await db.$disconnect();
    await testDatabase.drop();
  });

  /** A replica with these keys. */
  const replica = (...keys: string[]) => {
    const ring = KeyRing.parse(keys.join(','));
    const attestations = new Attestations(ring);
    const definitions = new Definitions(db, attestations, loadPresets());
    return {
      masterKeys: new MasterKeys(db, attestations),
      definitions,
      clients: new Clients(db, new Vault(ring), definitions),
      services: new Services(db, new ApiKeys(ring)),
    };
  };
  const register = async ({ clients, definitions }: ReturnType<typeof replica>, name: string) => {
    await definitions.storePresets();
    const inputs = {
      definition: await definitions.choose('capillary'),
      plain: { base_url: 'https://eu.api.capillarytech.com' },
      secret: { key: new Secret('k'), secret: new Secret('s') },
    };
    return clients.register({ name, labels: {}, renewal: {}, condition: 'fresh' }, inputs, by);
  };

  it('a key under which something is stored is missed by a replica that lacks it, until that is gone', async () => {
    const has = replica(k2, k1);
    const lacks = replica(k1);
    await has.masterKeys.register();
    await lacks.masterKeys.register();
    expect(await lacks.masterKeys.unusable()).toEqual([]); // registered, and not in use
    await register(has, 'eu');
    expect(await has.masterKeys.unusable()).toEqual([]);
    expect(await lacks.masterKeys.unusable()).toEqual([
      { kid: 'k2', why: 'missing', holds: ['clients', 'definitions'] },
    ]);
    await has.clients.delete('eu', by);
    expect(await lacks.masterKeys.unusable()).toEqual([]);
  });

  it('another key of the same name is told apart, and k1 is not k10', async () => {
    const has = replica(k1);
    const wrong = replica(otherK1);
    const ten = replica(k10);
    for (const { masterKeys } of [has, ten]) await masterKeys.register();
    await register(has, 'eu');
    await wrong.masterKeys.register(); // in use: the mark of the first one stays
    expect(await wrong.masterKeys.unusable()).toMatchObject([{ kid: 'k1', why: 'other' }]);
    expect(await has.masterKeys.unusable()).toEqual([]);
    expect(await ten.masterKeys.unusable()).toMatchObject([{ kid: 'k1', why: 'missing' }]);
    await has.clients.delete('eu', by);
    await register(ten, 'ten');
    expect(await replica(k1).masterKeys.unusable()).toMatchObject([{ kid: 'k10' }]);
    expect(await replica(k10).masterKeys.unusable()).toEqual([]);
  });

  it('the mark of a key under which nothing is stored gives way to the one that is used', async () => {
    await replica(otherK1).masterKeys.register(); // a slip at the very first start
    const has = replica(k1);
    await has.masterKeys.register();
    await register(has, 'eu');
    expect(await has.masterKeys.unusable()).toEqual([]);
    expect(await replica(otherK1).masterKeys.unusable()).toMatchObject([{ kid: 'k1', why: 'other' }]);
  });

  it('an API key under it counts until it is revoked', async () => {
    const has = replica(k2);
    await has.masterKeys.register();
    await has.services.create('reader', by);
    const { key, ...record } = await has.services.issueKey('reader', null, by);
    expect(key).toBeDefined();
    const lacks = replica(k1);
    expect(await lacks.masterKeys.unusable()).toEqual([{ kid: 'k2', why: 'missing', holds: ['API keys'] }]);
    await has.services.revokeKey('reader', record.id, by);
    expect(await lacks.masterKeys.unusable()).toEqual([]);
  });

  it('says which older keys are needed still', async () => {
    const before = replica(k1);
    await before.masterKeys.register();
    await register(before, 'eu');
    const rotated = replica(k2, k1);
    await rotated.definitions.storePresets(); // which are attested anew by the new key
    expect(await rotated.masterKeys.olderInUse()).toEqual([{ kid: 'k1', holds: ['clients'] }]);
  });

  it('a client whose kid no replica ever had makes none of them unfit: that row is at fault', async () => {
    const has = replica(k1);
    await has.masterKeys.register();
    const stranger = replica(k2); // never registered
    await register(stranger, 'poison');
    expect(await has.masterKeys.unusable()).toEqual([]);
  });
});
