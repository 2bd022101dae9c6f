import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaPGlite } from 'pglite-prisma-adapter';
import { migrationsFolder, prismaFolder, readMigrations } from './migrations-folder';
import { OwnConnections } from './own-connections';
import { noFilters, openSchemaEngine } from './schema-engine';

interface Sources {
  /** Default: the project's `prisma/schema.prisma`. */
  schema?: string;
  /** Default: the project's `prisma/migrations`. */
  folder?: string;
}

/**
 * The SQL that leads from the migrations to schema.prisma; empty when they agree. The migrations are played into a
 * database in memory, so this needs no server.
 */
export async function drift({
  schema = join(prismaFolder(), 'schema.prisma'),
  folder = migrationsFolder(),
}: Sources = {}): Promise<string> {
  const pglite = await PGlite.create();
  const connections = new OwnConnections(inMemory(pglite));
  const engine = await openSchemaEngine(connections);
  try {
    const result = await engine.diff({
      from: { tag: 'migrations', ...readMigrations(folder) },
      to: { tag: 'schemaDatamodel', files: [{ path: schema, content: readFileSync(schema, 'utf8') }] },
      script: true,
      exitCode: true,
      filters: noFilters,
    });
    return result.exitCode === 0 ? '' : `${(result.stdout ?? '').trim()}\n`;
  } finally {
    engine.free();
    await connections.close();
    await pglite.close();
  }
}

/** The engine asks for a database and for a shadow to play in; one, empty and thrown away, serves as both. */
function inMemory(pglite: PGlite): SqlMigrationAwareDriverAdapterFactory {
  const factory = new PrismaPGlite(pglite);
  factory.connectToShadowDb = () => factory.connect();
  return factory;
}
