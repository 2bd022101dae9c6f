import { loadPresets } from '#providers';
import { Attestations, KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { Clients } from './clients';
import { type Database, openDatabase, postgresAdapter } from './database';
import { Definitions } from './definitions';
import { GrantedClients } from './granted-clients';
import { Grants } from './grants';

const by = { actor: 'admin:test', requestId: 'r1' };

describe('the clients that a service was granted', () => {
  let testDatabase: TestDatabase;
  let db: Database;
  let granted: GrantedClients;
  let grants: Grants;

  beforeAll(async () => {
    testDatabase = await createDatabase();
    db = openDatabase(postgresAdapter(testDatabase.url));
    const ring = KeyRing.parse(newMasterKey('k1'));
    const definitions = new Definitions(db, new Attestations(ring), loadPresets());
    await definitions.storePresets();
    const clients = new Clients(db, new Vault(ring), definitions);
    [granted, grants] = [new GrantedClients(db), new Grants(db)];
    for (const [name, provider, team] of [
      ['eu', 'capillary', 'loyalty'],
      ['us', 'capillary', 'loyalty'],
      ['mail', 'zoom', 'loyalty'],
      ['other', 'capillary', 'else'],
    ] as const) {
      const secret = { key: new Secret('k'), secret: new Secret('s') };
      const inputs = {
        definition: await definitions.choose(provider),
        plain: { base_url: 'https://eu.api.capillarytech.com', host: 'zoom.us' },
        secret,
      };
      await clients.register({ name, labels: { team }, renewal: {}, condition: 'fresh' }, inputs, by);
    }
    await db.service.createMany({ data: ['none', 'one', 'label', 'both', 'twice'].map((name) => ({ name })) });
    await grants.create('one', { client: 'eu' }, by);
    await grants.create('label', { label: 'team=loyalty' }, by);
    await grants.create('both', { client: 'eu' }, by);
    await grants.create('both', { client: 'other' }, by);
    await grants.create('twice', { client: 'eu' }, by);
    await grants.create('twice', { label: 'team=loyalty' }, by);
  });
  afterAll(async () => {
    await db.$disconnect();
    await testDatabase.drop();
  });

  it.each([
    ['nobody', []],
    ['none', []],
    ['one', [['capillary', 1, 'eu']]],
    [
      'label',
      [
        ['capillary', 2, 'eu'],
        ['zoom', 1, 'mail'],
      ],
    ],
    ['both', [['capillary', 2, 'eu']]],
    [
      'twice',
      [
        ['capillary', 2, 'eu'],
        ['zoom', 1, 'mail'],
      ],
    ],
  ])('are counted once each, by provider, however they were granted: %s', async (service, wanted) => {
    const kinds = await granted.kinds(service);
    expect(kinds.map(({ provider, clients, example }) => [provider, clients, example])).toEqual(wanted);
  });
});
