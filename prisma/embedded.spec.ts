import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provisioned } from '../test/harness/provisioned';

const root = join(__dirname, '..');
const schema = `datasource db {
  provider = "postgresql"
}
model Part {
  id   Int     @id
  note String?
}
`;

let folder: string;

beforeAll(() => provisioned('build'));
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'token-broker-drift-'));
  writeFileSync(join(folder, 'schema.prisma'), schema);
});
afterEach(() => rmSync(folder, { recursive: true }));

function write(name: string, sql: string): void {
  mkdirSync(join(folder, 'migrations', name), { recursive: true });
  writeFileSync(join(folder, 'migrations', name, 'migration.sql'), sql);
}

/** In a process of its own: Jest's sandbox refuses the dynamic import by which PGlite loads itself. */
async function inProcess(expression: string): Promise<unknown> {
  const source = `
    const { PGlite } = require('@electric-sql/pglite');
    const { PrismaPGlite } = require('pglite-prisma-adapter');
    const { drift } = require('./dist/prisma/drift');
    const { applyMigrations, pendingMigrations } = require('./dist/prisma/migrate');
    const [schema, folder] = process.argv.slice(1);
    (async () => console.log(JSON.stringify(await (${expression})())))();`;
  const args = ['-e', source, join(folder, 'schema.prisma'), join(folder, 'migrations')];
  return JSON.parse((await promisify(execFile)(process.execPath, args, { cwd: root })).stdout);
}

test('drift is the SQL that leads from the migrations to the schema, and nothing once it is written down', async () => {
  write(
    '20250101000000_part',
    'CREATE TABLE "Part" ("id" INTEGER NOT NULL, CONSTRAINT "Part_pkey" PRIMARY KEY ("id"));',
  );
  const sql = (await inProcess('() => drift({ schema, folder })')) as string;
  expect(sql).toContain('ALTER TABLE "Part" ADD COLUMN     "note" TEXT;');
  write('20250102000000_note', sql);
  expect(await inProcess('() => drift({ schema, folder })')).toBe('');
});

test("the project's own migrations and schema agree", async () => {
  expect(await inProcess('() => drift()')).toBe('');
});

test('the embedded database is migrated once, and a failing migration leaves nothing of itself there', async () => {
  write('20250101000000_part', 'CREATE TABLE "Part" ("id" INTEGER);');
  write('20250102000000_broken', 'CREATE TABLE half (id int); SELECT 1 / 0;');
  const told = await inProcess(`async () => {
    const pglite = await PGlite.create();
    const query = async (sql) => (await pglite.query(sql)).rows;
    const refusal = await applyMigrations(new PrismaPGlite(pglite), { folder }).catch((error) => error.message);
    const [left] = await query("SELECT to_regclass('half') AS half, to_regclass('\\"Part\\"')::text AS part");
    const pending = await pendingMigrations(query, folder);
    await pglite.close(); // else a timer of its own keeps the process for 10 s
    return { refusal, left, pending };
  }`);
  expect(told).toEqual({
    refusal: expect.stringMatching(/20250102000000_broken: division by zero/),
    left: { half: null, part: '"Part"' },
    pending: ['20250102000000_broken'],
  });
});
