import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provisioned } from '../../../test/harness/provisioned';
import { root } from '../../../test/harness/root';

let folder: string;
beforeAll(() => provisioned('build'));
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'token-broker-embedded-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** In a process of its own: Jest's sandbox refuses the dynamic import by which PGlite loads itself. */
async function open(before = ''): Promise<unknown> {
  const source = `
    const { openEmbedded } = require('./dist/libs/registry/src/embedded-database');
    (async () => {
      ${before}
      const { adapter, close } = await openEmbedded(process.argv[1]);
      const session = await adapter.connect();
      const { rows } = await session.queryRaw({ sql: 'SELECT 1 + 1', args: [], argTypes: [] });
      console.log(JSON.stringify(rows));
      await close();
    })();`;
  const args = ['-e', source, join(folder, 'postgres')];
  return JSON.parse((await promisify(execFile)(process.execPath, args, { cwd: root })).stdout);
}

test('what a first start had unpacked when it was killed is thrown away; what is there then is for its owner only', async () => {
  mkdirSync(join(folder, 'postgres.half', 'base'), { recursive: true });
  writeFileSync(join(folder, 'postgres.half', 'PG_VERSION'), 'half of i');
  expect(await open()).toEqual([[2]]);
  expect(readdirSync(folder)).toEqual(['postgres']);
  expect(statSync(join(folder, 'postgres')).mode & 0o077).toBe(0);
  expect(await open()).toEqual([[2]]);
});

test('a ready-made database of another version of PostgreSQL is replaced by one that this version makes', async () => {
  const another = `
    const { mkdirSync, writeFileSync } = require('node:fs');
    const source = process.argv[1] + '.source';
    mkdirSync(source);
    writeFileSync(source + '/PG_VERSION', '99');
    const archive = require('tar').create({ cwd: source, sync: true, gzip: true }, ['.']).read();
    const name = require.resolve('@electric-sql/pglite-prepopulatedfs');
    require.cache[name] = { id: name, loaded: true, exports: { dataDir: async () => new Blob([archive]) } };`;
  expect(await open(another)).toEqual([[2]]);
});
