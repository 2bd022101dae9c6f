import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { freePort } from './free-port';
import { leash, leashProcess } from './leash';
import { postgresPrograms } from './postgres-programs';
import type { PostgresPrograms } from './postgres-programs';

export interface Server {
  url: string;
  origin: string;
  stop(): Promise<void>;
}

const run = promisify(execFile);
const bootSeconds = 30;

/** Made for tests: what a power cut would lose, it may lose. */
const settings = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '200',
  shared_buffers: '32MB',
  fsync: 'off',
  synchronous_commit: 'off',
  full_page_writes: 'off',
  autovacuum: 'off',
  max_wal_size: '1GB',
  log_min_messages: 'warning',
};

/** The first PostgreSQL that runs: `DATABASE_URL`, the binaries from npm, one installed on this machine. */
export async function startPostgres(): Promise<Server> {
  const given = process.env.DATABASE_URL;
  if (given) return { url: given, origin: 'DATABASE_URL', stop: () => Promise.resolve() };
  const failures: string[] = [];
  for (const programs of postgresPrograms()) {
    try {
      return await start(programs);
    } catch (error) {
      failures.push(`- ${programs.origin}: ${(error as Error).message}`);
    }
  }
  throw new Error(
    `No PostgreSQL for the tests. Set DATABASE_URL to a server where databases may be created, or install PostgreSQL.\n` +
      (failures.join('\n') || '- none found in node_modules, /usr/lib/postgresql or PATH'),
  );
}

async function start(programs: PostgresPrograms): Promise<Server> {
  const user = unprivileged();
  // As root, under /tmp even if TMPDIR says otherwise: the other user has to get there.
  const folder = mkdtempSync(join(user ? '/tmp' : tmpdir(), 'token-broker-postgres-'));
  let stop = leash('rm -rf -- "$1"', [folder]);
  try {
    chmodSync(folder, 0o755);
    const bin = programs.bin(folder);
    const home = join(folder, 'home');
    mkdirSync(home);
    const password = randomBytes(12).toString('hex');
    const passwordFile = join(home, 'password');
    writeFileSync(passwordFile, password, { mode: 0o600 });
    if (user) for (const path of [home, passwordFile]) chownSync(path, user.uid, user.gid);
    const cluster = join(home, 'cluster');
    const as = { ...user, cwd: home, env: { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' } };
    const flags = ['-D', cluster, '-U', 'postgres', '-A', 'password', `--pwfile=${passwordFile}`];
    await run(join(bin, 'initdb'), [...flags, '-E', 'UTF8', '--no-locale', '--no-sync', '--no-instructions'], as);

    const port = await freePort();
    const parameters = Object.entries({ ...settings, port: String(port) });
    const logFile = join(folder, 'log');
    const log = openSync(logFile, 'a');
    const flagged = parameters.flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // A session of its own: Ctrl-C is for the test run, which then ends its servers in order.
    const server = spawn(join(bin, 'postgres'), ['-D', cluster, ...flagged], {
      ...as,
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    server.unref();
    server.on('error', () => undefined);
    if (server.pid) {
      const end = leashProcess(server.pid, 'QUIT', folder);
      const tidy = stop;
      stop = () => end().then(tidy);
    }
    const url = `postgresql://postgres:${password}@127.0.0.1:${port}/postgres`;
    await answers(url, () => server.exitCode === null && server.pid !== undefined, logFile);
    return { url, origin: programs.origin, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answers(url: string, alive: () => boolean, logFile: string): Promise<void> {
  const until = Date.now() + bootSeconds * 1000;
  while (alive() && Date.now() < until) {
    const client = new Client({ connectionString: url, connectionTimeoutMillis: 1000 });
    client.on('error', () => undefined);
    const connected = await client.connect().then(
      () => true,
      () => false,
    );
    await client.end().catch(() => undefined);
    if (connected) return;
    await delay(30);
  }
  throw new Error(`it did not start: ${readFileSync(logFile, 'utf8').trim().slice(-2000)}`);
}

/** PostgreSQL refuses to run as root. Its own user where there is one, else `nobody`, whom every system has. */
function unprivileged(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const accounts = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = accounts.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid && gid) return { uid: Number(uid), gid: Number(gid) };
  }
  throw new Error('root may not run PostgreSQL, and /etc/passwd knows neither `postgres` nor `nobody`');
}
