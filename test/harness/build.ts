import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './root';

/** Without Prisma's client no spec that reaches the database compiles; process tests run what production runs, `dist/`. */
export async function buildIfStale(only?: '--client'): Promise<void> {
  await promisify(execFile)(process.execPath, [join(root, 'tools', 'build.mjs'), ...(only ? [only] : [])]);
}
