import { randomBytes } from 'node:crypto';
import { PrismaPg } from '@prisma/adapter-pg';
import { Client } from 'pg';
import { applyMigrations } from '../../prisma/migrate';
import { provisioned } from './provisioned';

export interface TestDatabase {
  url: string;
  drop(): Promise<void>;
}

/** A fresh database of one's own. Migrated (by copying one that was, which takes 50 ms) unless told otherwise. */
export async function createDatabase({ migrated = true }: { migrated?: boolean } = {}): Promise<TestDatabase> {
  const { url, run } = await provisioned('postgres');
  const template = migrated ? (await provisioned('template')).name : 'template1';
  const name = `${prefix(run)}${randomBytes(4).toString('hex')}`;
  await runSql(url, `CREATE DATABASE "${name}" TEMPLATE "${template}"`);
  return {
    url: named(url, name),
    drop: async () => void (await runSql(url, `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`)),
  };
}

/** Migrates once what every suite then copies. */
export async function makeTemplate(url: string, run: string): Promise<string> {
  const name = `${prefix(run)}template`;
  await runSql(url, `CREATE DATABASE "${name}"`);
  await applyMigrations(new PrismaPg({ connectionString: named(url, name) }));
  return name;
}

/** On a server that stays: what suites forgot to drop, and the template. */
export async function dropDatabases(url: string, run: string): Promise<void> {
  const left = await runSql(url, `SELECT datname FROM pg_database WHERE starts_with(datname, '${prefix(run)}')`);
  for (const { datname } of left) await runSql(url, `DROP DATABASE IF EXISTS "${datname}" WITH (FORCE)`);
}

const prefix = (run: string): string => `token_broker_test_${run}_`;

function named(url: string, database: string): string {
  const address = new URL(url);
  address.pathname = `/${database}`;
  return address.href;
}

/** One statement on a connection of its own; answers with its rows. */
export async function runSql(url: string, sql: string): Promise<any[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  return (await client.query(sql).finally(() => client.end())).rows;
}
