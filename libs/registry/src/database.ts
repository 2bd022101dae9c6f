import { PrismaPg } from '@prisma/adapter-pg';
import type { SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';
import type { ClientBase } from 'pg';
import { PrismaClient } from './generated/client';

export type Database = PrismaClient;

/** What a mutation may use: the client, or the transaction that it is part of. */
export type Transaction = Omit<PrismaClient, '$connect' | '$disconnect' | '$on' | '$transaction' | '$extends'>;

/** PostgreSQL at a URL, for migrations: they may take their time. */
export function migratingAdapter(url: string): SqlMigrationAwareDriverAdapterFactory {
  const onConnect = (client: ClientBase) => client.query('SET statement_timeout = 0');
  return new PrismaPg({ connectionString: url, connectionTimeoutMillis: 5_000, onConnect });
}

/**
 * PostgreSQL at a URL. Connects at the first query; a query never waits long for a connection, nor for its answer. The
 * server gives up a query, too, that nobody here waits for any more: else one that is stuck would take a connection of
 * the server's every ten seconds. As a statement, since PgBouncer refuses it as a parameter of the connection.
 */
export function postgresAdapter(url: string): SqlMigrationAwareDriverAdapterFactory {
  return new PrismaPg({
    connectionString: url,
    max: 10,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
    idleTimeoutMillis: 30_000,
    onConnect: (client: ClientBase) => client.query('SET statement_timeout = 12000'),
  });
}

export function openDatabase(adapter: SqlMigrationAwareDriverAdapterFactory): Database {
  return new PrismaClient({ adapter });
}
