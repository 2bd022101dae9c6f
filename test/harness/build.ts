import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './root';

const run = promisify(execFile);
const marker = join(root, 'dist', '.built');

/** Prisma's client is generated, not committed: without it no spec that reaches the database compiles. */
export async function generateIfStale(): Promise<void> {
  const generated = join(root, 'libs', 'registry', 'src', 'generated', 'client.ts');
  if (changedAt(generated) > newestIn(join(root, 'prisma', 'schema.prisma'))) return;
  await tool('prisma', ['generate']);
}

/** Process tests run what production runs: `dist/`. */
export async function buildIfStale(): Promise<void> {
  const sources = [
    'apps',
    'libs',
    'prisma',
    'bench',
    'faults',
    'tools',
    'test/harness',
    'nest-cli.json',
    '.swcrc',
    'package.json',
  ].map((name) => join(root, name));
  if (Math.max(...sources.map(newestIn)) >= changedAt(marker)) {
    const begun = new Date();
    await tool('nest', ['build']);
    writeFileSync(marker, '');
    utimesSync(marker, begun, begun); // what is saved during the build counts as newer
  }
}

async function tool(name: string, args: string[]): Promise<void> {
  try {
    await run(join(root, 'node_modules', '.bin', name), args, { cwd: root });
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout?: string; stderr?: string };
    const said = [message, stdout, stderr].filter(Boolean).join('\n');
    throw new Error(`${name} ${args.join(' ')} failed: ${said}`, { cause: error });
  }
}

const changedAt = (path: string): number => (existsSync(path) ? statSync(path).mtimeMs : 0);

/** When anything in there last changed, in ms since 1970; a folder's own time tells of files removed. */
function newestIn(path: string): number {
  if (!existsSync(path) || path.endsWith('node_modules')) return 0;
  const entry = statSync(path);
  if (!entry.isDirectory()) return entry.mtimeMs;
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))));
}
