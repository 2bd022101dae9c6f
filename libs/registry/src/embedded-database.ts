import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';

/** PostgreSQL as WebAssembly inside this process, on disk; one process at a time. */
export async function openEmbedded(
  dataFolder: string,
): Promise<{ adapter: SqlMigrationAwareDriverAdapterFactory; close(): Promise<void> }> {
  // Loaded only here: a broker on a real PostgreSQL never reads these 20 MB.
  const [{ PGlite }, { PrismaPGlite }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('pglite-prisma-adapter'),
  ]);
  const isNew = !existsSync(dataFolder);
  if (isNew) await unpackEmpty(dataFolder);
  const pglite = await PGlite.create(dataFolder).catch((error: unknown) => {
    if (!isNew) throw error;
    // Unpacked a moment ago, and for another version of PostgreSQL: this one can make its own.
    rmSync(dataFolder, { recursive: true });
    return PGlite.create(dataFolder);
  });
  return { adapter: new PrismaPGlite(pglite), close: () => pglite.close() };
}

/**
 * What `initdb` would make, as PGlite's own package has it: to run that takes 3 s and 700 MB. All of it is there or
 * nothing, whenever the process dies.
 */
async function unpackEmpty(dataFolder: string): Promise<void> {
  const [{ dataDir }, { extract }] = await Promise.all([import('@electric-sql/pglite-prepopulatedfs'), import('tar')]);
  const archive = Buffer.from(await (await dataDir()).arrayBuffer());
  const half = `${dataFolder}.half`;
  rmSync(half, { recursive: true, force: true });
  mkdirSync(half, { mode: 0o700 });
  // By itself it would go on after a file that cannot be written. (INFO: its names begin with a slash, which goes.)
  const onwarn = (code: string, message: string | Error): void => {
    if (code !== 'TAR_ENTRY_INFO') throw new Error(`${dataFolder} cannot be written: ${String(message)}`);
  };
  extract({ cwd: half, sync: true, noMtime: true, onwarn }).end(archive);
  renameSync(half, dataFolder);
}
