// Makes what the scripts of package.json run: Prisma's client, and `dist/`. Each is made again where a byte of what it is
// made of has changed, and left alone otherwise: so none of them ever runs old code, and a start need not wait.
// In JavaScript, since nothing is compiled yet when it runs.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

const usage = `node tools/build.mjs [--client | --where-possible]
  --client          only Prisma's client
  --where-possible  nothing where the development dependencies are not installed`;
/** Not all of them are there where an image is built. */
const sources = ['apps', 'libs', 'prisma', 'bench', 'faults', 'tools', 'test/harness'];
/** What npm has installed last: another compiler, another output. */
const always = ['tools/build.mjs', 'package.json', 'node_modules/.package-lock.json'];
/** Says which process makes something. */
const lock = '.tmp/building';
const abandonedAfterMs = 120_000;
const { resolve } = createRequire(import.meta.url);
const generate = ['prisma/build/index.js', 'generate', '--no-hints'];
const compile = ['@nestjs/cli/bin/nest.js', 'build'];

const [option] = process.argv.slice(2);
process.chdir(join(import.meta.dirname, '..'));
if (option === '--where-possible' && !existsSync('node_modules/@nestjs/cli')) {
  console.log('Nothing is compiled: the development dependencies are not installed.');
} else if ([undefined, '--client', '--where-possible'].includes(option)) {
  make('libs/registry/src/generated', ['prisma/schema.prisma', 'prisma.config.ts'], generate);
  if (option !== '--client') make('dist', [...sources, '.swcrc', 'nest-cli.json'], compile);
} else {
  console.error(usage);
  process.exitCode = 1;
}

function make(folder, from, [program, ...args]) {
  const stamp = join(folder, '.made-from');
  const look = () => digestOf([...from, ...always].flatMap(filesIn));
  const isMade = (digest) => existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
  if (isMade(look())) return;
  const path = resolve(program); // what could not be made again is not thrown away
  alone(() => {
    const digest = look();
    if (isMade(digest)) return;
    rmSync(folder, { recursive: true, force: true });
    run(path, args);
    writeFileSync(stamp, digest); // of what was there before: what is saved meanwhile is compiled the next time
  });
}

/** Two at once would each delete what the other writes, and one of them say of the rest that it is complete. */
function alone(work) {
  mkdirSync(dirname(lock), { recursive: true });
  while (!locked()) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
  const unlock = () => rmSync(lock, { force: true });
  process.on('exit', unlock);
  work();
  unlock();
  process.off('exit', unlock);
}

function locked() {
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    if (isAbandoned()) rmSync(lock, { force: true });
    return false;
  }
}

function isAbandoned() {
  try {
    if (Date.now() - statSync(lock).mtimeMs > abandonedAfterMs) return true;
    const pid = Number(readFileSync(lock, 'utf8'));
    return pid === process.pid || (pid > 0 && process.kill(pid, 0) !== true);
  } catch (error) {
    return error.code === 'ESRCH'; // else it is another user's, or gone by now
  }
}

function run(path, args) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [path, ...args], { encoding: 'utf8' });
  if (status === 0) return;
  console.error(`${path} ${args.join(' ')} failed:\n${stdout}${stderr}`);
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
