import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PrismaPg } from '@prisma/adapter-pg';
import { Pool, type PoolClient } from 'pg';
import { createDatabase } from '../test/harness/database';
import type { TestDatabase } from '../test/harness/database';
import { provisioned } from '../test/harness/provisioned';
import { applyMigrations, markRolledBack, MigrationFailed, pendingMigrations } from './migrate';

const first = `CREATE TABLE parts (id int PRIMARY KEY, note text DEFAULT 'one; two');
CREATE FUNCTION answer() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; RETURN 42; END; $$;
`;
const second = 'ALTER TABLE parts ADD COLUMN size int;\n';

let database: TestDatabase;
let pool: Pool;
let folder: string;

const adapter = (): PrismaPg => new PrismaPg({ connectionString: database.url });
const pending = (): Promise<string[]> => pendingMigrations(async (sql) => (await pool.query(sql)).rows, folder);

function write(name: string, sql: string): void {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'migration.sql'), sql);
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await holds()); await delay(20)) {
    if (Date.now() > deadline) throw new Error('not within 20 s');
  }
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'token-broker-migrations-'));
  write('20250101000000_parts', first);
  write('20250102000000_sizes', second);
  database = await createDatabase({ migrated: false });
  pool = new Pool({ connectionString: database.url });
  // The database is dropped while connections of an ended pool are still on their way out.
  pool.on('error', () => undefined);
});

afterEach(async () => {
  await pool.end();
  await database.drop();
  rmSync(folder, { recursive: true });
});

test('migrations are applied once, oldest first, and functions and texts may hold semicolons', async () => {
  expect(await applyMigrations(adapter(), { folder })).toEqual(['20250101000000_parts', '20250102000000_sizes']);
  expect(await applyMigrations(adapter(), { folder })).toEqual([]);
  expect((await pool.query('SELECT answer()')).rows).toEqual([{ answer: 42 }]);
});

test('the history is what `prisma migrate deploy` would have left, so that either may go on from there', async () => {
  await applyMigrations(adapter(), { folder });
  const { rows } = await pool.query(
    `SELECT migration_name, checksum, applied_steps_count, logs, rolled_back_at, finished_at IS NOT NULL AS finished
     FROM _prisma_migrations ORDER BY started_at`,
  );
  const row = (migration_name: string, sql: string): object => ({
    migration_name,
    checksum: createHash('sha256').update(sql).digest('hex'),
    applied_steps_count: 1,
    logs: null,
    rolled_back_at: null,
    finished: true,
  });
  expect(rows).toEqual([row('20250101000000_parts', first), row('20250102000000_sizes', second)]);
});

test('four processes that migrate one empty database at once apply each migration exactly once', async () => {
  await provisioned('build');
  write('20250103000000_slow', 'SELECT pg_sleep(1);\n'); // long enough for all four to be there
  const program = join(__dirname, '..', 'dist', 'prisma', 'migrate.main.js');
  const env = { ...process.env, DATABASE_URL: database.url };
  const runs = Array.from({ length: 4 }, () =>
    promisify(execFile)(process.execPath, [program, '--folder', folder], { env }),
  );
  const outputs = (await Promise.all(runs)).map(({ stdout }) => stdout);
  expect(outputs.filter((text) => text.includes('3 applied'))).toHaveLength(1);
  expect(outputs.filter((text) => /waiting for it[^]*is up to date/.test(text))).toHaveLength(3);
  expect((await pool.query('SELECT count(*)::int AS n FROM _prisma_migrations')).rows).toEqual([{ n: 3 }]);
});

test('pending are all migrations at first, then those not yet applied, then none', async () => {
  expect(await pending()).toEqual(['20250101000000_parts', '20250102000000_sizes']);
  await applyMigrations(adapter(), { folder });
  expect(await pending()).toEqual([]);
  write('20250103000000_later', 'SELECT 1;');
  expect(await pending()).toEqual(['20250103000000_later']);
});

test('a migration that only the database knows is no reason to refuse: a newer replica was here first', async () => {
  await applyMigrations(adapter(), { folder });
  rmSync(join(folder, '20250102000000_sizes'), { recursive: true });
  expect(await pending()).toEqual([]);
  expect(await applyMigrations(adapter(), { folder })).toEqual([]);
});

describe('a migration that fails', () => {
  const name = '20250103000000_broken';
  const thrown = (): Promise<unknown> => applyMigrations(adapter(), { folder }).catch((error: unknown) => error);

  beforeEach(() => write(name, 'CREATE TABLE half (id int); SELECT 1 / 0; CREATE TABLE rest (id int);'));

  test('is reported with its name and what PostgreSQL said', async () => {
    const error = await thrown();
    expect(error).toBeInstanceOf(MigrationFailed);
    expect(error).toMatchObject({ code: 'migration_failed', migration: name });
    expect((error as Error).message).toContain('division by zero');
  });

  test('leaves nothing of itself behind, keeps what came before, and stays pending', async () => {
    await thrown();
    const { rows } = await pool.query(`SELECT to_regclass('half') AS half, to_regclass('parts')::text AS parts`);
    expect(rows).toEqual([{ half: null, parts: 'parts' }]);
    expect(await pending()).toEqual([name]);
  });

  test('blocks later ones, and says how to go on, until it is mended and marked as rolled back', async () => {
    await thrown();
    expect(((await thrown()) as Error).message).toContain(`npm run migrate -- --rolled-back ${name}`);
    write(name, 'CREATE TABLE half (id int);');
    await markRolledBack(adapter(), name);
    expect(await applyMigrations(adapter(), { folder })).toEqual([name]);
    expect(await pending()).toEqual([]);
  });
});

describe('a process that is killed while its migration waits for a lock', () => {
  const name = '20250103000000_waits';
  let holder: PoolClient;
  let said: string[];
  const goOn = () => applyMigrations(adapter(), { folder, log: (line) => said.push(line) });
  const waiting = async (): Promise<number | undefined> =>
    (
      await pool.query(
        `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
      )
    ).rows[0]?.pid;
  const history = async () =>
    (
      await pool.query(
        `SELECT finished_at IS NOT NULL AS finished, rolled_back_at IS NOT NULL AS forgotten FROM _prisma_migrations WHERE migration_name = $1 ORDER BY started_at`,
        [name],
      )
    ).rows;
  const columns = async () =>
    (await pool.query(`SELECT 1 FROM information_schema.columns WHERE column_name = 'weight'`)).rows.length;

  beforeEach(async () => {
    await provisioned('build');
    said = [];
    await applyMigrations(adapter(), { folder });
    write(name, 'ALTER TABLE parts ADD COLUMN weight int; -- without a semicolon after this');
    holder = await pool.connect();
    await holder.query('BEGIN; SELECT * FROM parts');
    const program = join(__dirname, '..', 'dist', 'prisma', 'migrate.main.js');
    const child = execFile(process.execPath, [program, '--folder', folder], {
      env: { ...process.env, DATABASE_URL: database.url },
    });
    await until(async () => (await waiting()) !== undefined);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
  afterEach(() => holder.release(true));

  test('does not block the next one, where PostgreSQL ended its session and nothing was applied', async () => {
    await pool.query('SELECT pg_terminate_backend($1)', [await waiting()]);
    await until(async () => (await waiting()) === undefined);
    await holder.query('COMMIT');
    expect(await goOn()).toEqual([name]);
    expect(said[0]).toContain(`${name} was begun by a process that died`);
    expect(await history()).toEqual([
      { finished: false, forgotten: true },
      { finished: true, forgotten: false },
    ]);
    expect(await columns()).toBe(1);
    expect(await pending()).toEqual([]);
  });

  test('is waited for by the next one, where PostgreSQL goes on without it, and its migration counts', async () => {
    const next = goOn();
    await Promise.race([next, until(async () => said.length > 0)]);
    expect(said).toEqual(['Another process is migrating this database: waiting for it']);
    await holder.query('COMMIT');
    expect(await next).toEqual([]);
    expect(await history()).toEqual([{ finished: true, forgotten: false }]);
    expect(await columns()).toBe(1);
  });
});

test('what cannot run in one transaction is not taken for undone: an index that is made beside the work of others', async () => {
  write('20250103000000_index', 'CREATE INDEX CONCURRENTLY parts_by_size ON parts (size);');
  expect(await applyMigrations(adapter(), { folder })).toContain('20250103000000_index');
  expect(await pending()).toEqual([]);
  await pool.query(`UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name = '20250103000000_index'`);
  await expect(applyMigrations(adapter(), { folder })).rejects.toThrow('--rolled-back 20250103000000_index');
});

test('a pool that lives on is refused: the lock of the engine would live on in it', async () => {
  await expect(applyMigrations(new PrismaPg(pool), { folder })).rejects.toThrow('connections of their own');
});
