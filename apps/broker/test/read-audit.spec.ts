import { Audit, ReadAudit } from '#registry';
import { startWire } from '../../../test/harness/wire';
import { ReadRecorder } from '../src/ops/read-recorder';
import { cuttableDatabase } from './cuttable-database';
import { ask, type Fleet, startFleet, until } from './fleet';

const total = (rows: { reads: number }[]) => rows.reduce((sum, { reads }) => sum + reads, 0);

describe('the recorder of reads', () => {
  const database = cuttableDatabase();
  let audited: Record<string, number>;
  let now: number;
  const [keyId, clientId] = [crypto.randomUUID(), crypto.randomUUID()];
  const { sql } = database;

  beforeEach(async () => {
    await sql('TRUNCATE token_reads, audit_entries');
    [audited, now] = [{ written: 0, lost: 0 }, 1_000_000_000_000];
  });

  function recorder(reads: Pick<ReadAudit, 'add'> = new ReadAudit(database.db)) {
    const metrics = { readsAudited: (result: string, some: number) => void (audited[result]! += some) };
    const made = new ReadRecorder({ reads, audit: new Audit(database.db), metrics }, () => now);
    const note = (more: object = {}) =>
      made.note({ ...{ service: 'checkout', keyId, clientId, client: 'eu', generation: '7', at: now }, ...more });
    return { note, flush: made.flush.bind(made), held: () => made.held };
  }
  const written = () => sql('SELECT * FROM token_reads ORDER BY id');

  it('writes one row for a second, a key, a client and a generation, with the number of its reads', async () => {
    const { note, flush } = recorder();
    for (let i = 0; i < 500; i++) note();
    now += 999;
    note();
    note({ generation: '8' });
    note({ keyId: undefined });
    note({ keyId: undefined, service: 'shipping' });
    note({ clientId: crypto.randomUUID(), client: 'us' });
    await flush();
    expect(await written()).toEqual([]); // the second is not over
    now += 1;
    note();
    await flush();
    expect((await written()).map(({ reads }) => reads)).toEqual([501, 1, 1, 1, 1]);
    await flush(true);
    const rows = await written();
    expect(rows[0]).toMatchObject({
      ...{ at: new Date(1_000_000_000_000), reads: 501, generation: '7', client: 'eu' },
      ...{ service: 'checkout', key_id: keyId, client_id: clientId },
    });
    expect(rows.map(({ key_id }) => key_id).filter((id) => id === null)).toHaveLength(2);
    expect(audited).toEqual({ written: total(rows), lost: 0 });
  });

  it('loses none while the database is away, and counts none twice when its answer is lost', async () => {
    let answers = false;
    const reads = new ReadAudit(database.db);
    const add: ReadAudit['add'] = async (rows) => {
      await reads.add(rows);
      if (!answers) throw new Error('the answer was lost');
    };
    const { note, flush, held } = recorder({ add });
    note();
    await expect(flush(true)).rejects.toThrow('lost');
    database.wire.cut();
    for (let i = 0; i < 10; i++, now += 1_000) {
      note();
      await expect(flush(true)).rejects.toThrow(/./);
    }
    database.wire.mend();
    answers = true;
    await until(async () => flush(true).then(() => true, () => false), Boolean); // prettier-ignore
    expect(held()).toBe(0);
    expect(total(await written())).toBe(11);
    expect(audited['written']).toBe(11);
  }, 30_000);

  it('keeps 100,000 rows at most, and puts into the audit how many reads were lost beyond that', async () => {
    let away = true;
    const kept: number[] = [];
    const add: ReadAudit['add'] = async (rows) => {
      if (away) throw new Error('away');
      kept.push(rows.length);
    };
    const { note, flush, held } = recorder({ add });
    for (let i = 0; i < 100_000; i++) note({ clientId: `c${i}` });
    now += 1_000;
    await expect(flush()).rejects.toThrow('away');
    note();
    now += 1_000;
    note();
    expect(held()).toBe(100_000);
    away = false;
    await flush();
    expect(total(kept.map((reads) => ({ reads })))).toBe(100_000);
    expect(audited).toEqual({ written: 100_000, lost: 2 });
    expect(await sql('SELECT actor, action, target, detail FROM audit_entries')).toEqual([
      {
        ...{ actor: 'broker', action: 'reads.lost', target: 'token_reads' },
        detail: { reads: 2, from: '2001-09-09T01:46:41.000Z', to: '2001-09-09T01:46:42.000Z' },
      },
    ]);
    note();
    await flush(true);
    expect(await sql('SELECT seq FROM audit_entries')).toHaveLength(1);
  });
});

describe('where every read is audited', () => {
  let fleet: Fleet;
  let keys: { checkout: string; shipping: string };
  const list = async (query = '') => (await fleet.admin('GET', `/v1/audit/reads${query}`)).body;
  const sum = async (query: string) => total((await list(query)).items);

  beforeAll(async () => {
    fleet = await startFleet(1, { AUDIT_READS: 'true' });
    await fleet.register('eu');
    await fleet.register('us');
    keys = { checkout: await fleet.service('checkout', 'eu', 'us'), shipping: await fleet.service('shipping', 'us') };
  });
  afterAll(() => fleet.stop());

  it('each answer with a token, and each that says it is still the same, is told with key, client and generation', async () => {
    const first = await fleet.token('eu', keys.checkout);
    const etag = first.headers.get('etag')!;
    for (let i = 0; i < 4; i++) await fleet.token('eu', keys.checkout, { headers: { 'if-none-match': etag } });
    for (let i = 0; i < 3; i++) await fleet.token('us', keys.shipping);
    await until(() => sum(''), (reads) => reads >= 8); // prettier-ignore
    const { items } = await list('?client=eu');
    expect(total(items)).toBe(5);
    const { items: owned } = (await fleet.admin('GET', '/v1/services/checkout/keys')).body;
    expect(items[0]).toEqual({
      ...{ at: expect.stringMatching(/Z$/), reads: expect.any(Number), service: 'checkout', client: 'eu' },
      ...{ key_id: owned[0].id, client_id: expect.any(String), generation: etag.slice(1, -1) },
    });
    expect(await sum('?service=shipping')).toBe(3);
    expect(await sum('?service=shipping&client=eu')).toBe(0);
    expect(JSON.stringify(await list())).not.toContain(first.body.access_token);
    const metrics = await fetch(`${fleet.brokers[0]!.url}/metrics`).then((answer) => answer.text());
    expect(metrics).toContain('tokenbroker_audited_reads_total{result="written"} 8');
  });

  it('each call through the proxy is told as a read of the token that it was made with', async () => {
    const before = await sum('?service=shipping');
    const [broker] = fleet.brokers;
    const call = (path: string) =>
      ask(`${broker!.url}/proxy/${path}`, 'GET', undefined, { authorization: `Bearer ${keys.shipping}` });
    for (let i = 0; i < 3; i++) expect((await call('us/v2/x')).status).toBe(200);
    expect((await call('eu/v2/x')).status).toBe(404); // it was not granted
    const etag = (await fleet.token('us', keys.shipping)).headers.get('etag')!;
    await until(() => sum('?service=shipping'), (reads) => reads >= before + 4); // prettier-ignore
    expect(await sum('?service=shipping')).toBe(before + 4);
    const [latest] = (await list('?service=shipping')).items;
    expect(latest).toMatchObject({ client: 'us', key_id: expect.any(String), generation: etag.slice(1, -1) });
  });

  it('a refused request is no read', async () => {
    const before = await sum('?service=shipping');
    expect((await fleet.token('eu', keys.shipping)).status).toBe(404);
    expect((await fleet.token('us', `${keys.shipping}x`)).status).toBe(401);
    await fleet.token('us', keys.shipping);
    await until(() => sum('?service=shipping'), (reads) => reads === before + 1); // prettier-ignore
    expect(await sum('?client=us&service=shipping')).toBe(before + 1);
  });

  it('they are read page by page, the newest first, and between two moments', async () => {
    const { items } = await list('?limit=200');
    const first = await list('?limit=1');
    const rest = await list(`?limit=200&cursor=${first.next_cursor}`);
    expect([...first.items, ...rest.items]).toEqual(items);
    const times = items.map(({ at }: { at: string }) => at);
    expect(times).toEqual(times.toSorted().reverse());
    expect((await list(`?to=${times.at(-1)}`)).items).toEqual([]);
    expect((await list(`?from=${times.at(-1)}`)).items).toEqual(items);
    expect((await list('?from=1900-01-01&to=9999-12-31')).items).toEqual(items);
    for (const bad of ['?from=yesterday', '?cursor=x', '?limit=0', '?client=', '?keys=1'])
      expect(await fleet.admin('GET', `/v1/audit/reads${bad}`)).toMatchObject({ status: 400 });
  });

  it('those of the last second are written when a replica ends, and none is where the audit is not asked for', async () => {
    const before = await sum('?service=checkout');
    const quiet = await fleet.addBroker({ AUDIT_READS: 'false' });
    const ending = await fleet.addBroker();
    for (let i = 0; i < 5; i++) {
      await fleet.token('us', keys.checkout, { broker: 1 });
      await fleet.token('us', keys.checkout, { broker: 2 });
    }
    await Promise.all([quiet.kill('SIGTERM'), ending.kill('SIGTERM')]);
    expect(await sum('?service=checkout')).toBe(before + 5);
  });

  it('the route answers while the database does not, and what was read is written when it does', async () => {
    const wire = await startWire(fleet.database.url);
    const broker = await fleet.addBroker({ DATABASE_URL: wire.url });
    const url = `${broker.url}/v1/clients/us/token`;
    const read = () => ask(url, 'GET', undefined, { authorization: `Bearer ${keys.checkout}` });
    await read();
    const before = await until(() => sum('?client=us&service=checkout'), (reads) => reads > 0); // prettier-ignore
    wire.cut();
    for (let i = 0; i < 20; i++) expect((await read()).status).toBe(200);
    wire.mend();
    await until(() => sum('?client=us&service=checkout'), (reads) => reads >= before + 20); // prettier-ignore
    await broker.stop();
    await wire.close();
  }, 30_000);
});
