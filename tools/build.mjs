// Makes what the scripts of package.json run: Prisma's client, and `dist/`. Each is made again where a byte of what it is
// made of has changed, and left alone otherwise: so none of them ever runs old code, and a start need not wait.
// In JavaScript, since nothing is compiled yet when it runs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const usage = `node tools/build.mjs [--client | --where-possible]
  --client          only Prisma's client
  --where-possible  nothing where the development dependencies are not installed`;
/** Not all of them are there where an image is built. */
const sources = ['apps', 'libs', 'prisma', 'bench', 'faults', 'tools', 'test/harness'];
/** What npm has installed last: another compiler, another output. */
const always = ['tools/build.mjs', 'package.json', 'node_modules/.package-lock.json'];
const { resolve } = createRequire(import.meta.url);

const [option] = process.argv.slice(2);
process.chdir(join(import.meta.dirname, '..'));
if (option === '--where-possible' && !existsSync('node_modules/@nestjs/cli')) {
  console.log('Nothing is compiled: the development dependencies are not installed.');
} else if ([undefined, '--client', '--where-possible'].includes(option)) {
  const generate = ['prisma/build/index.js', 'generate', '--no-hints'];
  make('libs/registry/src/generated', ['prisma/schema.prisma', 'prisma.config.ts'], generate);
  const compile = ['@nestjs/cli/bin/nest.js', 'build'];
  if (option !== '--client') make('dist', [...sources, '.swcrc', 'nest-cli.json'], compile);
} else {
  console.error(usage);
  process.exitCode = 1;
}

function make(folder, from, command) {
  const stamp = join(folder, '.made-from');
  const digest = digestOf([...from, ...always].flatMap(filesIn));
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  rmSync(folder, { recursive: true, force: true });
  run(command);
  writeFileSync(stamp, digest); // of what was there before: what is saved meanwhile is compiled the next time
}

function run([program, ...args]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [resolve(program), ...args], { encoding: 'utf8' });
  if (status === 0) return;
  console.error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`);
  process.exit(1);
}

function digestOf(files) {
  const hash = createHash('sha256').update(process.version);
  for (const file of files) hash.update(`\0${file}\0`).update(readFileSync(file));
  return hash.digest('hex');
}

/** No specs: Jest compiles them itself. */
function filesIn(path) {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => name !== 'node_modules' && name !== '.made-from' && !name.endsWith('.spec.ts'))
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}
