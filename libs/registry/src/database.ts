import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import { PrismaClient } from './generated/client';

export type Database = PrismaClient;

/** What a mutation may use: the client, or the transaction that it is part of. */
export type Transaction = Omit<PrismaClient, '$connect' | '$disconnect' | '$on' | '$transaction' | '$extends'>;

/** PostgreSQL at a URL, for migrations: they may take their time. */
export function migratingAdapter(url: string): SqlMigrationAwareDriverAdapterFactory {
  return new PrismaPg({ connectionString: url, connectionTimeoutMillis: 5_000 });
}

/** PostgreSQL at a URL. Connects at the first query; a query never waits long for a connection. */
export function postgresAdapter(url: string): SqlMigrationAwareDriverAdapterFactory {
  return new PrismaPg({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
    idleTimeoutMillis: 30_000,
  });
}

export function openDatabase(adapter: SqlMigrationAwareDriverAdapterFactory): Database {
  return new PrismaClient({ adapter });
}
