import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

/** What publint and "are the types wrong" find in the package as npm would pack it. */
export async function faultsOfPackage(folder: string): Promise<string[]> {
  const packed = pack(folder);
  const tarball = packed.buffer.slice(packed.byteOffset, packed.byteOffset + packed.byteLength) as ArrayBuffer;
  const { messages, pkg } = await publint({ pkgDir: 'package', pack: { tarball }, strict: true });
  const result = await checkPackage(createPackageFromTarballData(packed));
  if (!result.types) return ['attw: there are no types'];
  const problems = result.problems.filter(
    // Who resolves as Node 10 did, before there were exports, finds the main entry and no other.
    (problem) => !('resolutionKind' in problem && problem.resolutionKind === 'node10' && problem.entrypoint !== '.'),
  );
  return [
    ...messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`),
    ...problems.map((problem) => `attw: ${JSON.stringify(problem)}`),
  ];
}

function pack(folder: string): Uint8Array {
  const target = mkdtempSync(join(tmpdir(), 'token-broker-sdk-'));
  try {
    execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', target], { cwd: folder, stdio: 'pipe' });
    const [file] = readdirSync(target);
    return readFileSync(join(target, file!));
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
