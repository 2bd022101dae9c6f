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
  const pglite = await PGlite.create(dataFolder);
  return { adapter: new PrismaPGlite(pglite), close: () => pglite.close() };
}
