import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = join(__dirname, '..');

const imports = 'eslint(no-restricted-imports)';
const environment = 'node(no-process-env)';
const crypto = 'eslint(no-restricted-properties)';
const cycle = 'import(no-cycle)';
const types = 'typescript(consistent-type-imports)';

/** Where a file lies, what it says, and the one rule that must speak up. */
const refused: [file: string, source: string, rule: string][] = [
  ...['libs/vault', 'libs/providers', 'libs/registry', 'libs/tokens'].flatMap((lib): [string, string, string][] => [
    [`${lib}/src/nest.ts`, `export { Injectable } from '@nestjs/common';`, imports],
    [`${lib}/src/leans-on-app.ts`, `export { readConfig } from '../../../apps/broker/src/config';`, imports],
    [`${lib}/src/leans-on-sibling.ts`, `export { x } from '../../new/src/leans';`, imports],
  ]),
  ['libs/vault/src/leans.ts', `export { loadPresets } from '#providers';`, imports],
  ['libs/providers/src/leans.ts', `export { TokenService } from '#tokens';`, imports],
  ['libs/providers/src/leans-on-migrations.ts', `export { applyMigrations } from '#migrations';`, imports],
  ['libs/registry/src/leans.ts', `export type { TokenService } from '#tokens';`, imports],
  ['libs/tokens/src/leans.ts', `export { Clients } from '#registry';`, imports],
  ['libs/tokens/src/leans-late.ts', `export const clients = () => import('#registry');`, imports],
  ['libs/tokens/src/leans-old.ts', `export const clients = require('#registry');`, 'typescript(no-require-imports)'],
  ['libs/tokens/src/leans.spec.ts', `export { Clients } from '#registry';`, imports],
  ['libs/sdk/src/leans.ts', `export { Secret } from '#vault';`, imports],
  ['libs/sdk/src/node.ts', `export { inspect } from 'node:util';`, imports],
  ['libs/sdk/src/package.ts', `export { request } from 'undici';`, imports],
  ['apps/broker/src/sdk.ts', `export { TokenBroker } from '#sdk';`, imports],
  ['libs/new/src/leans.ts', `export { Secret } from '#vault';`, imports],
  ['apps/simulator/src/leans.ts', `export { Secret } from '#vault';`, imports],
  ['apps/demo/src/leans.ts', `export { startSimulator } from '../../simulator/src/simulator';`, imports],
  ['libs/tokens/src/leans-on-test.ts', `export { startRedis } from '../../../test/harness/redis';`, imports],
  ['prisma/leans-by-path.ts', `export { openDatabase } from '../libs/registry/src/database';`, imports],
  ['prisma/leans.ts', `export { openDatabase } from '#registry';`, imports],

  ['libs/tokens/src/deep.ts', `export { Secret } from '#vault/secret';`, imports],
  ['libs/tokens/src/deep-by-path.ts', `export { Secret } from '../../vault/src/secret';`, imports],
  ['libs/tokens/src/folder/deep-by-path.ts', `export { Secret } from '../../../vault/src';`, imports],
  ['apps/broker/src/deep.ts', `export { Secret } from '#vault/secret';`, imports],
  ['apps/broker/src/deep-by-path.ts', `export type { Secret } from '../../../libs/vault/src/secret';`, imports],
  ['apps/broker/src/deep.spec.ts', `export { Secret } from '../../../libs/vault/src/secret';`, imports],
  ['apps/broker/src/auth/deep.ts', `export { Secret } from '#vault/secret';`, imports],
  ['faults/deep.ts', `export { Secret } from '../libs/vault/src/secret';`, imports],
  ['bench/deep.ts', `export { Secret } from '../libs/vault/src/secret';`, imports],

  ['libs/tokens/src/nest.spec.ts', `export { Injectable } from '@nestjs/common';`, imports],

  ['libs/tokens/src/crypto.ts', `export { randomBytes } from 'node:crypto';`, imports],
  ['libs/tokens/src/crypto-bare.ts', `export { randomBytes } from 'crypto';`, imports],
  ['libs/tokens/src/crypto-global.ts', `export const subtle = crypto.subtle;`, crypto],
  ['apps/broker/src/crypto.ts', `export { randomBytes } from 'node:crypto';`, imports],
  ['apps/broker/src/crypto-global.ts', `export const subtle = globalThis.crypto;`, crypto],

  ['libs/vault/src/environment.ts', `export const port = process.env['PORT'];`, environment],
  ['libs/vault/src/config.ts', `export const port = process.env['PORT'];`, environment],
  ['libs/vault/src/environment-imported.ts', `export { env } from 'node:process';`, imports],
  ['apps/broker/src/environment.ts', `export const { PORT } = process.env;`, environment],
  ['apps/demo/src/environment.ts', `export const all = { ...process.env };`, environment],

  ['libs/tokens/src/one.ts', `import { two } from './two';\nexport const one = () => two;`, cycle],
  ['libs/tokens/src/two.ts', `import { one } from './one';\nexport const two = () => one;`, cycle],
  ['libs/tokens/src/three.ts', `import type { Four } from './four';\nexport type Three = Four | 3;`, cycle],
  ['libs/tokens/src/four.ts', `import type { Three } from './three';\nexport type Four = Three | 4;`, cycle],

  ['libs/vault/src/all.ts', `export * from './secret';`, 'oxc(no-barrel-file)'],
  ['apps/broker/src/all.ts', `export * as secret from './secret';`, 'oxc(no-barrel-file)'],
  ['libs/vault/src/types.ts', `import { Secret } from './secret';\nexport type Box = Secret[];`, types],
  ['libs/vault/src/shouts.ts', `console.log('hello');`, 'eslint(no-console)'],
  ['apps/broker/src/shouts.ts', `console.error('hello');`, 'eslint(no-console)'],
  ['libs/vault/src/later.ts', `export const one = 1; // but TODO: two`, 'eslint(no-warning-comments)'],
  ['libs/vault/src/long.ts', `${'// one more\n'.repeat(300)}export const one = 1;`, 'eslint(max-lines)'],
  ['test/skipped.spec.ts', `it.skip('holds', () => expect(1).toBe(1));`, 'jest(no-disabled-tests)'],
  ['test/focused.spec.ts', `it.only('holds', () => expect(1).toBe(1));`, 'jest(no-focused-tests)'],
  ['libs/vault/src/skipped.spec.ts', `xit('holds', () => expect(1).toBe(1));`, 'jest(no-disabled-tests)'],
  ['test/empty.spec.ts', `it('holds', () => {});`, 'jest(expect-expect)'],
];

/** What looks much like it and is allowed: a rule that refused everything would prove nothing. */
const allowed: [file: string, source: string][] = [
  ['libs/providers/src/good.ts', `export { Secret } from '#vault';`],
  [
    'libs/registry/src/good.ts',
    `export type { ProviderDefinition } from '#providers';\nexport { Secret } from '#vault';`,
  ],
  ['libs/tokens/src/good.ts', `export const id = crypto.randomUUID();\nexport type { Clock } from '#providers';`],
  ['libs/vault/src/good.ts', `export { randomBytes } from 'node:crypto';\nexport { Secret } from './secret';`],
  ['libs/vault/src/secret.ts', `export class Secret {\n  text = '';\n}`],
  ['libs/tokens/src/good.spec.ts', `export { startRedis } from '../../../test/harness/redis';`],
  ['libs/tokens/src/good-crypto.spec.ts', `export { randomBytes } from 'node:crypto';`],
  ['apps/broker/src/config.ts', `export const port = process.env['PORT'];`],
  ['apps/broker/src/storage.ts', `export { port } from './config';`],
  ['apps/broker/src/good.ts', `export { applyMigrations } from '#migrations';\nexport { Clients } from '#registry';`],
  [
    'apps/broker/src/admin/good.ts',
    `export { tokens } from '../tokens/token.route';\nexport { Get } from '@nestjs/common';`,
  ],
  ['apps/broker/src/auth/good.ts', `export { createHash } from 'node:crypto';`],
  ['apps/broker/src/wire.ts', `import type { ServedToken } from '#sdk';\nexport type Box = ServedToken[];`],
  ['libs/sdk/src/good.ts', `export { inspect } from './hidden';\nexport const f = () => fetch('x');`],
  ['libs/sdk/src/hidden.ts', `export const inspect = 1;`],
  ['libs/sdk/src/good.spec.ts', `export { createServer } from 'node:http';`],
  ['apps/broker/src/injected.ts', `import { Secret } from '#vault';\nexport type Box = Secret[];`],
  ['apps/demo/src/good.ts', `export { randomBytes } from 'node:crypto';`],
  ['test/good.ts', `export { Clients } from '#registry';\nexport { applyMigrations } from '../prisma/migrate';`],
  ['apps/simulator/test/rig.ts', `export { startSimulator } from '../src/simulator';`],
  ['prisma/some.main.ts', `console.log(process.env['DATABASE_URL']);`],
];

let folder: string;
let reported: Map<string, Set<string>>;

beforeAll(() => {
  // A project of bad files only, in which the real configuration stands where it stands in this one.
  folder = mkdtempSync(join(tmpdir(), 'lint-bites-'));
  copyFileSync(join(root, '.oxlintrc.json'), join(folder, '.oxlintrc.json'));
  for (const [file, source] of [...refused, ...allowed]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${source}\n`);
  }
  const oxlint = join(root, 'node_modules', 'oxlint', 'bin', 'oxlint');
  const { stdout, stderr } = spawnSync(process.execPath, [oxlint, '--format=json'], { cwd: folder, encoding: 'utf8' });
  if (!stdout.startsWith('{')) throw new Error(`oxlint did not lint: ${stdout}${stderr}`);
  const { diagnostics } = JSON.parse(stdout) as { diagnostics: { filename: string; code: string }[] };
  reported = new Map();
  for (const { filename, code } of diagnostics) {
    reported.set(filename, (reported.get(filename) ?? new Set<string>()).add(code));
  }
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test.each(refused.map(([file, , rule]) => [file, rule] as const))('%s is refused by %s', (file, rule) => {
  expect([...(reported.get(file) ?? [])]).toEqual([rule]);
});

test.each(allowed.map(([file]) => [file] as const))('%s passes', (file) => {
  expect([...(reported.get(file) ?? [])]).toEqual([]);
});
