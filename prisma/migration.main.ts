import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drift } from './drift';
import { lockfileText, migrationsFolder } from './migrations-folder';

/** `npm run migration -- add_labels`: writes what schema.prisma has and the migrations lack as the next migration. */
async function main(): Promise<void> {
  const name = process.argv[2] ?? '';
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error('Usage: npm run migration -- <name>, as in add_labels');
  const sql = await drift();
  if (!sql) return console.log('Nothing to write: schema.prisma and prisma/migrations agree');

  const migrations = migrationsFolder();
  const timestamp = new Date().toISOString().replace(/\D/g, '').slice(0, 14);
  const folder = join(migrations, `${timestamp}_${name}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'migration.sql'), sql);
  const lockfile = join(migrations, 'migration_lock.toml');
  if (!existsSync(lockfile)) writeFileSync(lockfile, lockfileText);
  console.log(`Wrote ${join(folder, 'migration.sql')}: read it before you commit it\n\n${sql}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
