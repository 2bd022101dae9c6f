import { Client } from 'pg';
import { createDatabase, runSql, type TestDatabase } from '../../../test/harness/database';
import { Access, type AccessEpoch } from './access';
import { type Database, openDatabase, postgresAdapter } from './database';

/** What is written by SQL here, a broker of any version, or an operator, writes the same way. */
describe('the access epoch', () => {
  let test: TestDatabase;
  let db: Database;
  let access: Access;
  beforeAll(async () => {
    test = await createDatabase();
    db = openDatabase(postgresAdapter(test.url));
    access = new Access(db);
    await runSql(
      test.url,
      `INSERT INTO services (id, name) VALUES (gen_random_uuid(), 'reader');
       INSERT INTO clients (id, name, provider, sealed_inputs, updated_at) VALUES (gen_random_uuid(), 'eu', 'p', 's', now());
       INSERT INTO keys (id, prefix, digest, pepper_kid, service_id) SELECT gen_random_uuid(), 'tbk_00000000', '', 'k', id FROM services;
       INSERT INTO grants (id, service_id, client_id) SELECT gen_random_uuid(), s.id, c.id FROM services s, clients c`,
    );
  });
  afterAll(async () => {
    await db.$disconnect();
    await test.drop();
  });

  /** Which marks a statement has changed. */
  const changedBy = async (sql: string): Promise<string[]> => {
    const before = await access.epoch();
    await runSql(test.url, sql);
    const after = await access.epoch();
    return (Object.keys(before) as (keyof AccessEpoch)[]).filter((kind) => before[kind] !== after[kind]);
  };

  it.each([
    ['a key is revoked', `UPDATE keys SET revoked_at = now()`],
    ['a key is let live again', `UPDATE keys SET revoked_at = NULL`],
    ['a key is to end', `UPDATE keys SET expires_at = now()`],
    ['a digest is replaced', `UPDATE keys SET digest = 'x'`],
    ['a grant is moved', `UPDATE grants SET client_id = NULL, label_key = 'a', label_value = 'b'`],
    ['a client is disabled', `UPDATE clients SET enabled = false`],
    ['a client has other labels', `UPDATE clients SET labels = '{"team": "a"}'`],
    ['a client has another name', `UPDATE clients SET name = 'us'`],
    ['a service has another name', `UPDATE services SET name = 'writer' WHERE name = 'reader'`],
    ['a grant is taken back', `DELETE FROM grants`],
    ['a client is deleted', `DELETE FROM clients`],
    ['a service is deleted', `DELETE FROM services`],
    ['all is thrown away', `TRUNCATE services, keys, grants, clients`],
  ])('tells all who know anything when %s', async (_, sql) => {
    await runSql(test.url, `INSERT INTO services (id, name) VALUES (gen_random_uuid(), 'x') ON CONFLICT DO NOTHING`);
    expect(await changedBy(sql)).toEqual(expect.arrayContaining(['found', 'missing']));
  });

  it.each([
    [
      'client',
      `INSERT INTO clients (id, name, provider, sealed_inputs, updated_at) VALUES (gen_random_uuid(), 'new', 'p', 's', now())`,
    ],
    ['service', `INSERT INTO services (id, name) VALUES (gen_random_uuid(), 'new')`],
    [
      'grant',
      `INSERT INTO grants (id, service_id, label_key, label_value) SELECT gen_random_uuid(), id, 'a', 'b' FROM services LIMIT 1`,
    ],
  ])('of a new %s tells only those who looked for something in vain', async (_, sql) => {
    expect(await changedBy(sql)).toEqual(['missing']);
  });

  it('of a new key tells those who keep the prefixes, and those who looked for one in vain', async () => {
    const sql = `INSERT INTO keys (id, prefix, digest, pepper_kid) VALUES (gen_random_uuid(), 'tbk_11111111', '', 'k')`;
    expect(await changedBy(sql)).toEqual(['missing', 'prefixes']);
  });

  it.each([
    [`UPDATE keys SET last_used_at = now()`],
    [`UPDATE clients SET condition = 'failing', reason = 'x', condition_since = now()`],
    [`UPDATE clients SET version = version + 1, secret_version = 2, sealed_inputs = 'y'`],
  ])('is not moved by what decides nothing: %s', async (sql) => {
    expect(await changedBy(sql)).toEqual([]);
  });

  it('counts once a transaction, and makes 20,000 rows of one statement no slower than their number', async () => {
    const counted = `SELECT sum(added)::int AS n FROM access_epoch`;
    const [{ n: before }] = await runSql(test.url, counted);
    const many = `INSERT INTO clients (id, name, provider, sealed_inputs, updated_at)
      SELECT gen_random_uuid(), 'bulk-' || i, 'p', 's', now() FROM generate_series(1, 20000) AS i`;
    await runSql(
      test.url,
      `BEGIN; ${many}; INSERT INTO services (id, name) VALUES (gen_random_uuid(), 'bulk'); COMMIT`,
    );
    expect((await runSql(test.url, counted))[0].n).toBe(before + 1);
    const [{ tuples }] = await runSql(test.url, `SELECT pg_relation_size('access_epoch') / 8192 AS tuples`);
    expect(Number(tuples)).toBeLessThanOrEqual(2);
  });

  it('holds nobody up: two open transactions wait for each other in nothing, whichever rows they count in', async () => {
    const [one, other] = [new Client({ connectionString: test.url }), new Client({ connectionString: test.url })];
    await Promise.all([one.connect(), other.connect()]);
    try {
      const add = (client: Client, name: string) =>
        client.query(`INSERT INTO services (id, name) VALUES (gen_random_uuid(), '${name}')`);
      for (const client of [one, other]) await client.query(`BEGIN; SET LOCAL lock_timeout = '1s'`);
      // As if both had the same slot, each changes what the other has not.
      await add(one, 'open-1');
      await add(other, 'open-2');
      const locked = `SELECT count(*)::int AS n FROM pg_locks l JOIN pg_class c ON c.oid = l.relation
        WHERE c.relname = 'access_epoch' AND l.mode = 'RowExclusiveLock'`;
      expect((await runSql(test.url, locked))[0].n).toBe(0);
      await other.query('COMMIT');
      await one.query('COMMIT');
    } finally {
      await Promise.all([one.end(), other.end()]);
    }
  });

  it('counts for one who looks in another schema, and has no right to the counters', async () => {
    await runSql(
      test.url,
      `CREATE SCHEMA elsewhere; DO $$ BEGIN CREATE ROLE token_broker_test_narrow; EXCEPTION WHEN duplicate_object THEN END $$;
       GRANT USAGE ON SCHEMA public TO token_broker_test_narrow; GRANT SELECT, UPDATE ON public.clients TO token_broker_test_narrow`,
    );
    const sql = `SET search_path = elsewhere; SET ROLE token_broker_test_narrow; UPDATE public.clients SET enabled = NOT enabled WHERE name = 'new'`;
    try {
      expect(await changedBy(sql)).toEqual(['found', 'missing']);
    } finally {
      await runSql(test.url, 'DROP OWNED BY token_broker_test_narrow; DROP ROLE token_broker_test_narrow');
    }
  });
});
