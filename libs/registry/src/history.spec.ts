import { loadPresets } from '#providers';
import { Attestations, KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { Clients } from './clients';
import { type Database, openDatabase, postgresAdapter } from './database';
import { Definitions, type DefinitionVersion } from './definitions';
import { Events, recordCondition } from './events';
import { type RenewalHour, RenewalHours } from './renewal-hours';
import { Retention } from './retention';
import { ReadAudit, readsId } from './read-audit';

const by = { actor: 'admin:test', requestId: 'r1' };
const ring = KeyRing.parse(newMasterKey('k1'));

describe('the history', () => {
  let testDatabase: TestDatabase;
  let db: Database;
  let clients: Clients;
  let capillary: DefinitionVersion;
  let events: Events;
  let names = 0;

  beforeAll(async () => {
    testDatabase = await createDatabase();
    db = openDatabase(postgresAdapter(testDatabase.url));
    const definitions = new Definitions(db, new Attestations(ring), loadPresets());
    await definitions.storePresets();
    capillary = await definitions.choose('capillary');
    clients = new Clients(db, new Vault(ring), definitions);
    events = new Events(db);
  });
  afterAll(async () => {
    await db.$disconnect();
    await testDatabase.drop();
  });

  const register = () => {
    const plain = { base_url: 'https://eu.api.capillarytech.com' };
    const inputs = { definition: capillary, plain, secret: { key: new Secret('k'), secret: new Secret('s') } };
    return clients.register({ name: `c${names++}`, labels: {}, renewal: {}, condition: 'fresh' }, inputs, by);
  };
  const eventsOf = async (client: string) => (await events.list({ client, limit: 100 })).items;
  const become = (id: string, condition: string, reason?: string) =>
    clients.recordConditions(new Map([[id, { condition, ...(reason !== undefined && { reason }) }]]));

  it('has an event for each change of condition, and none for a change of the reason alone, or for none', async () => {
    const { id, name } = await register();
    await become(id, 'failing', 'down');
    await become(id, 'failing', 'still down');
    await become(id, 'failing', 'still down');
    await become(id, 'fresh');
    await become(id, 'fresh');
    expect(await eventsOf(name)).toMatchObject([
      {
        ...{ kind: 'client.condition_changed', client: name, provider: 'capillary' },
        detail: { condition: 'failing', before: 'fresh', reason: 'down' },
      },
      { detail: { condition: 'fresh', before: 'failing' } },
    ]);
    expect(await clients.get(name)).toMatchObject({ condition: 'fresh', reason: null });
  });

  it('has an event when an admin disables or enables, together with that or not at all', async () => {
    const { id, name } = await register();
    await clients.setEnabled(name, false, by);
    await clients.setEnabled(name, false, by);
    await become(id, 'failing', 'too late');
    await clients.setEnabled(name, true, by);
    const told = (await eventsOf(name)).map(({ detail }) => detail);
    expect(told).toEqual([
      { condition: 'disabled', before: 'fresh' },
      { condition: 'renewing', before: 'disabled' },
    ]);
    await db.$executeRaw`ALTER TABLE events RENAME TO hidden`;
    try {
      await expect(clients.setEnabled(name, false, by)).rejects.toThrow(/events/);
      await expect(become(id, 'failing')).rejects.toThrow(/events/);
    } finally {
      await db.$executeRaw`ALTER TABLE hidden RENAME TO events`;
    }
    expect(await clients.get(name)).toMatchObject({ enabled: true, condition: 'renewing' });
  });

  it('shows no event behind one that was read already, however many writers commit at once', async () => {
    const many = await Promise.all(Array.from({ length: 12 }, () => register()));
    const start = await events.newest();
    const [seen, all] = [[] as string[], new Set<string>()];
    let writing = true;
    const reader = (async () => {
      let after = start;
      for (let last = false; !last;) {
        last = !writing;
        const { items } = await events.list({ after, limit: 1_000 });
        seen.push(...items.map(({ seq }) => seq));
        after = items.at(-1)?.seq ?? after;
      }
    })();
    const states = ['failing', 'fresh', 'credentials_refused'];
    const writers = [0, 1, 2, 3].map(async (writer) => {
      for (let i = 0; i < 40; i++) {
        // Each of them all clients, in an order of its own, and beside them an admin who disables and enables.
        const order = [...many].sort(() => Math.random() - 0.5);
        const condition = states[(i + writer) % 3]!;
        await clients.recordConditions(new Map(order.map(({ id }) => [id, { condition }])));
        await clients.setEnabled(many[writer]!.name, i % 2 === 1, by);
      }
    });
    await Promise.all(writers).finally(() => (writing = false));
    await reader;
    const { items } = await events.list({ after: start, limit: 10_000 });
    for (const { seq } of items) all.add(seq);
    expect(all.size).toBeGreaterThan(100);
    expect(seen).toEqual([...all]);
  }, 60_000);

  it('keeps nobody waiting for a process that was frozen in the middle of a change, but for 5 s', async () => {
    const { id, name } = await register();
    let thaw = (): void => undefined;
    const frozen = new Promise<void>((resolve) => (thaw = resolve));
    let stuck: Promise<unknown> = Promise.resolve();
    await new Promise<void>((inserted, failed) => {
      stuck = db.$transaction(
        async (tx) => {
          await recordCondition(tx, { id, name, provider: 'capillary', was: 'fresh', condition: 'disabled' });
          inserted();
          await frozen;
        },
        { timeout: 60_000 },
      );
      stuck.catch(failed);
    });
    await become(id, 'failing', 'down');
    thaw();
    await expect(stuck).rejects.toThrow(/terminat|closed|timeout|connection error/i);
    expect((await eventsOf(name)).map(({ detail }) => detail)).toMatchObject([{ condition: 'failing' }]);
  }, 30_000);

  it('takes hours in which a renewal was months late, as after a clock has jumped, with all others beside', async () => {
    const hours = new RenewalHours(db);
    const hour = new Date('2026-05-05T10:00:00Z');
    const row = { hour, outcome: 'renewed', reason: '', count: 1, durationMsSum: 5, durationMsMax: 5 };
    const months = 100 * 24 * 3_600_000;
    await hours.add([
      { ...row, provider: 'late', latenessMsMax: months },
      { ...row, provider: 'on-time', latenessMsMax: 7 },
    ]);
    const { items } = await hours.list({ from: hour, to: new Date('2026-05-05T11:00:00Z'), limit: 10 });
    expect(items.map(({ provider, latenessMsMax }) => [provider, latenessMsMax])).toEqual([
      ['late', 2 ** 31 - 1],
      ['on-time', 7],
    ]);
    await db.renewalHour.deleteMany();
  });

  it('has one event for each change of a breaker, however many replicas saw it', async () => {
    const origin = 'https://a.example';
    const replicas = Array.from({ length: 5 }, () => new Events(db));
    const after = await events.newest();
    const all = (state: 'open' | 'closed', at = origin) =>
      Promise.all(replicas.map((replica) => replica.recordBreakers([{ provider: 'acme', origin: at, state }])));
    await all('closed');
    await all('open');
    await all('open', 'https://b.example');
    await all('closed');
    await all('open');
    const { items } = await events.list({ after, limit: 100 });
    expect(items.map(({ provider, client, detail }) => [provider, client, detail])).toEqual([
      ['acme', null, { origin, state: 'open' }],
      ['acme', null, { origin: 'https://b.example', state: 'open' }],
      ['acme', null, { origin, state: 'closed' }],
      ['acme', null, { origin, state: 'open' }],
    ]);
  });

  it('gives its events in pages, from either end', async () => {
    const { id, name: client } = await register();
    for (let i = 0; i < 5; i++) await become(id, i % 2 ? 'fresh' : 'failing');
    const all = (await eventsOf(client)).map(({ seq }) => seq);
    for (const newestFirst of [false, true]) {
      const seqs: string[] = [];
      let after: string | undefined;
      do {
        const page = await events.list({ client, limit: 2, newestFirst, ...(after !== undefined && { after }) });
        seqs.push(...page.items.map(({ seq }) => seq));
        after = page.next;
      } while (after !== undefined);
      expect(seqs).toEqual(newestFirst ? [...all].reverse() : all);
    }
  });

  const hour = (at: string, more: Partial<RenewalHour> = {}): RenewalHour => ({
    ...{ hour: new Date(at), provider: 'capillary', outcome: 'renewed', reason: '', count: 1 },
    ...{ durationMsSum: 100, durationMsMax: 100, latenessMsMax: 5 },
    ...more,
  });

  it('adds up the hours of many replicas at once', async () => {
    const hours = new RenewalHours(db);
    const kinds = ['a', 'b', 'c', 'd'].map((provider) => hour('2026-01-01T10:00:00Z', { provider }));
    const replicas = Array.from({ length: 8 }, async (_, i) => {
      for (let n = 0; n < 5; n++) {
        await hours.add([...kinds].sort(() => Math.random() - 0.5).map((one) => ({ ...one, durationMsMax: 90.6 + i })));
      }
    });
    await Promise.all(replicas);
    const span = { from: new Date('2026-01-01T10:00:00Z'), to: new Date('2026-01-01T11:00:00Z') };
    const { items } = await hours.list({ ...span, limit: 100 });
    const sums = { count: 40, durationMsSum: 4_000, durationMsMax: 98, latenessMsMax: 5 };
    expect(items).toEqual(kinds.map((one) => ({ ...one, ...sums })));
    expect((await hours.list({ ...span, provider: 'c', limit: 100 })).items).toMatchObject([{ provider: 'c' }]);
  });

  it('gives its hours in pages, of the time asked for', async () => {
    const hours = new RenewalHours(db);
    const rows = ['09', '10', '11'].flatMap((h) =>
      ['failed', 'renewed'].map((outcome) => hour(`2026-02-02T${h}:00:00Z`, { outcome })),
    );
    await hours.add(rows);
    const span = { from: new Date('2026-02-02T09:00:00Z'), to: new Date('2026-02-02T11:00:00Z') };
    const first = await hours.list({ ...span, limit: 3 });
    const second = await hours.list({ ...span, limit: 3, after: first.next! });
    expect([...first.items, ...second.items]).toEqual(rows.slice(0, 4));
    expect(second.next).toBeUndefined();
  });

  describe('forgets', () => {
    const old = (rows: number, days: number) => db.$executeRaw`
      WITH e AS (INSERT INTO events (at, kind) SELECT now() - make_interval(days => ${days}::int), 'old' FROM generate_series(1, ${rows}::int))
      INSERT INTO renewal_hours SELECT now() - make_interval(days => ${days}::int), 'p' || n, 'renewed', '', 1, 1, 1, 1
      FROM generate_series(1, ${rows}::int) n`;
    const counts = async () => [
      await db.event.count({ where: { kind: 'old' } }),
      await db.renewalHour.count({ where: { provider: { startsWith: 'p' } } }),
    ];
    const retention = () => new Retention(db);
    beforeEach(async () => {
      await db.$executeRaw`TRUNCATE events, renewal_hours`;
    });

    it('what is older than 90 days, keeps what is younger, and never touches the audit', async () => {
      await db.$executeRaw`UPDATE audit_entries SET at = now() - interval '400 days'`;
      const audited = await db.auditEntry.count();
      await old(2_345, 91);
      await old(7, 89);
      expect(await retention().run()).toBe(2 * 2_345);
      expect(await counts()).toEqual([7, 7]);
      expect(await db.auditEntry.count()).toBe(audited);
      expect(audited).toBeGreaterThan(0);
    });

    it('no more than 50,000 rows of each kind in one run, the oldest first', async () => {
      await old(50_500, 100);
      await old(10, 200);
      await retention().run();
      expect(await counts()).toEqual([510, 510]);
      expect(await db.event.count({ where: { at: { lt: new Date(Date.now() - 150 * 86_400_000) } } })).toBe(0);
      await retention().run();
      expect(await counts()).toEqual([0, 0]);
    }, 60_000);

    it('audited reads of any number with it', async () => {
      const reads = new ReadAudit(db);
      const of = (days: number, rows: number) =>
        Array.from({ length: rows }, () => {
          const at = new Date(Date.now() - days * 86_400_000);
          const what = { service: 's', keyId: null, clientId: crypto.randomUUID(), client: 'c', generation: '1' };
          return { id: readsId(at.getTime()), at, reads: 1, ...what };
        });
      for (const some of [of(90.01, 20_001), of(89.99, 3)]) await reads.add(some);
      expect(await retention().run()).toBe(20_001);
      expect((await reads.list({ limit: 10 })).items).toHaveLength(3);
    });

    it('nothing while another replica is at it, and waits for nobody', async () => {
      await old(10, 100);
      await db.$transaction(async (tx) => {
        await tx.$queryRaw`SELECT pg_try_advisory_xact_lock(7270736902)`;
        expect(await retention().run()).toBe(0);
      });
      expect(await counts()).toEqual([10, 10]);
      const runs = await Promise.all([retention().run(), retention().run(), retention().run()]);
      expect(runs.reduce((sum, rows) => sum + rows, 0)).toBe(20);
    });
  });
});
