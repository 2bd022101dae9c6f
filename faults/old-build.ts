import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../test/harness/root';

const run = promisify(execFile);

/** The broker as it was at some commit, built anew. Its dependencies are those of today. */
export interface OldBuild {
  /** Of the broker. */
  script: string;
  commit: string;
  remove(): void;
}

/** @param ref a commit, branch or tag */
export async function buildOld(ref: string): Promise<OldBuild> {
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-old-'));
  try {
    const { stdout } = await run('git', ['rev-parse', '--short', `${ref}^{commit}`], { cwd: root });
    // Not a worktree, which the repository would have to be rid of again.
    await run('sh', ['-c', 'git archive "$1" | tar -x -C "$2"', 'sh', ref, folder], { cwd: root });
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    await run('npm', ['run', 'build'], { cwd: folder });
    const script = join(folder, 'dist', 'apps', 'broker', 'src', 'main.js');
    return { script, commit: stdout.trim(), remove: () => rmSync(folder, { recursive: true, force: true }) };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
