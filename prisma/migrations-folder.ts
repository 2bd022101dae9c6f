import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { MigrationList } from '@prisma/schema-engine-wasm/schema_engine_bg';

/**
 * The project's `prisma/` folder. This file runs as `prisma/*.ts` in tests and as `dist/prisma/*.js` in production,
 * and only the first has the SQL beside it: so look upwards for the folder that stands next to a package.json.
 */
export function prismaFolder(from: string = __dirname): string {
  for (let folder = from; ; folder = dirname(folder)) {
    const candidate = join(folder, 'prisma');
    const holdsSchema = existsSync(join(candidate, 'migrations')) || existsSync(join(candidate, 'schema.prisma'));
    if (holdsSchema && existsSync(join(folder, 'package.json'))) return candidate;
    if (folder === dirname(folder)) throw new Error(`No prisma/ folder next to a package.json above ${from}`);
  }
}

export const migrationsFolder = (): string => join(prismaFolder(), 'migrations');

export const lockfileText = 'provider = "postgresql"\n';

/** The names of the migrations on disk, oldest first. */
export function migrationNames(folder: string = migrationsFolder()): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'migration.sql')))
    .sort();
}

/** The migrations on disk in the shape in which Prisma's engine wants them: it has no file system of its own. */
export function readMigrations(folder: string = migrationsFolder()): MigrationList {
  const lockfile = join(folder, 'migration_lock.toml');
  return {
    baseDir: folder,
    lockfile: {
      path: 'migration_lock.toml',
      // The engine will not begin without it, not even at the very first migration.
      content: existsSync(lockfile) ? readFileSync(lockfile, 'utf8') : lockfileText,
    },
    shadowDbInitScript: '',
    migrationDirectories: migrationNames(folder).map((name) => ({
      path: name,
      migrationFile: {
        path: 'migration.sql',
        content: { tag: 'ok', value: readFileSync(join(folder, name, 'migration.sql'), 'utf8') },
      },
    })),
  };
}
