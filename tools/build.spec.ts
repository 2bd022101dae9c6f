import { execFile, execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const root = join(__dirname, '..');
let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'token-broker-build-'));
  const settings = ['package.json', '.swcrc', 'nest-cli.json', 'tsconfig.json', 'prisma.config.ts'];
  for (const file of ['tools/build.mjs', 'prisma/schema.prisma', ...settings])
    cpSync(join(root, file), join(project, file));
  symlinkSync(join(root, 'node_modules'), join(project, 'node_modules'));
});
afterAll(() => rmSync(project, { recursive: true }));

const long = new Date(0);
function write(file: string, text: string): void {
  mkdirSync(dirname(join(project, file)), { recursive: true });
  writeFileSync(join(project, file), text);
  utimesSync(join(project, file), long, long); // as after `cp -p`: no change is known by its time
}
const build = (...args: string[]) =>
  execFileSync(process.execPath, [join(project, 'tools/build.mjs'), ...args], { stdio: 'pipe' });
const run = () => String(execFileSync(process.execPath, [join(project, 'dist/libs/one.js')]));

test('what runs is what the sources say now, whatever their times; what they say no more is gone', () => {
  write('libs/one.ts', `console.log('first' as string);`);
  write('libs/some/presets/old.yaml', 'a: 1');
  write('libs/one.spec.ts', 'no TypeScript');
  build();
  expect(run()).toBe('first\n');
  expect(existsSync(join(project, 'dist/libs/some/presets/old.yaml'))).toBe(true);

  write('libs/one.ts', `console.log('other' as string);`);
  rmSync(join(project, 'libs/some/presets/old.yaml'));
  build();
  expect(run()).toBe('other\n');
  expect(existsSync(join(project, 'dist/libs/some/presets/old.yaml'))).toBe(false);
});

test('where nothing has changed nothing is made: what runs from there goes on', () => {
  build();
  writeFileSync(join(project, 'dist/left-alone'), '');
  build();
  expect(existsSync(join(project, 'dist/left-alone'))).toBe(true);
});

test('a source that does not compile fails, and what was compiled before it does not run in its place', () => {
  build();
  write('libs/one.ts', 'const = nonsense');
  expect(() => build()).toThrow(/one\.ts/);
  expect(existsSync(join(project, 'dist/libs/one.js'))).toBe(false);
  expect(() => build()).toThrow(/one\.ts/);
});

test('two at once make it once, and neither runs before it is there', async () => {
  for (let i = 0; i < 60; i++) write(`libs/many/${i}.ts`, `console.log('first' as string);`);
  write('libs/one.ts', `console.log('third' as string);`);
  await Promise.all(
    [0, 300, 600, 900].map(async (startMs) => {
      await delay(startMs);
      await promisify(execFile)(process.execPath, [join(project, 'tools/build.mjs')]);
      expect(run()).toBe('third\n');
    }),
  );
  expect(readdirSync(join(project, 'dist/libs/many')).filter((name) => name.endsWith('.js'))).toHaveLength(60);
});

test('one that was killed holds up no other', () => {
  const dead = spawnSync(process.execPath, ['-e', '']).pid;
  writeFileSync(join(project, '.tmp/building'), String(dead));
  write('libs/one.ts', `console.log('fourth' as string);`);
  build();
  expect(run()).toBe('fourth\n');
});

test('what cannot be compiled anew, since the compiler is not installed, is left as it is', () => {
  const modules = join(project, 'node_modules');
  rmSync(modules);
  mkdirSync(modules);
  for (const name of readdirSync(join(root, 'node_modules')).filter((entry) => entry !== '@nestjs'))
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  write('libs/one.ts', `console.log('fifth' as string);`);
  expect(() => build()).toThrow(/Cannot find module/);
  expect(run()).toBe('fourth\n');
});

test('without the development dependencies an install does without, and only an install', () => {
  rmSync(join(project, 'node_modules'), { recursive: true });
  expect(String(build('--where-possible'))).toContain('not installed');
  expect(() => build()).toThrow(/Cannot find module/);
});
