import { DriverAdapterError } from '@prisma/driver-adapter-utils';
import type { SqlDriverAdapter, SqlMigrationAwareDriverAdapterFactory } from '@prisma/driver-adapter-utils';

/** A script that the database refused, with what it said. */
interface RefusedScript {
  script: string;
  error: unknown;
}

/**
 * Stands between Prisma's engine and a driver adapter, for three reasons, each a trap that was stepped into:
 *
 * - `@prisma/adapter-pg` cuts a migration at every semicolon, also inside functions and texts, and sends the pieces one
 *   by one, so that a failing migration stays half applied. `pglite-prisma-adapter` does not wait for the script and
 *   turns its failure into an unhandled rejection. Here a script is sent whole and awaited: PostgreSQL runs it as one
 *   implicit transaction, exactly as with `prisma migrate deploy`.
 * - The engine's advisory lock belongs to a connection and is never given back: only closing the connection frees it.
 * - The engine does not always close what it opened.
 */
export class OwnConnections implements SqlMigrationAwareDriverAdapterFactory {
  readonly provider;
  readonly adapterName;
  refused: RefusedScript | undefined;
  private readonly open: SqlDriverAdapter[] = [];

  /** @param run how a script is run on a connection: whole, whatever else */
  constructor(
    private readonly factory: SqlMigrationAwareDriverAdapterFactory,
    private readonly run: (adapter: SqlDriverAdapter, script: string) => Promise<void> = runWhole,
  ) {
    if ('externalPool' in factory && factory.externalPool) {
      throw new Error('Migrations need connections of their own: give the adapter a URL, not a pool that lives on');
    }
    this.provider = factory.provider;
    this.adapterName = factory.adapterName;
  }

  async connect(): Promise<SqlDriverAdapter> {
    return this.own(await this.factory.connect());
  }

  async connectToShadowDb(): Promise<SqlDriverAdapter> {
    return this.own(await this.factory.connectToShadowDb());
  }

  async close(): Promise<void> {
    await Promise.all(this.open.splice(0).map((adapter) => adapter.dispose()));
  }

  private own(adapter: SqlDriverAdapter): SqlDriverAdapter {
    this.open.push(adapter);
    const dispose = adapter.dispose.bind(adapter);
    let disposed: Promise<void> | undefined;
    adapter.dispose = () => (disposed ??= dispose());
    adapter.executeScript = async (script) => {
      try {
        await this.run(adapter, script);
      } catch (error) {
        this.refused = { script, error };
        throw error;
      }
    };
    return adapter;
  }
}

/** PostgreSQL runs it as one implicit transaction. */
export async function runWhole(adapter: SqlDriverAdapter, script: string): Promise<void> {
  const exec = pgliteExec(adapter);
  // Without arguments `pg` speaks the simple protocol, in which one message holds a whole script.
  if (!exec) return void (await adapter.executeRaw({ sql: script, args: [], argTypes: [] }));
  try {
    await exec(script);
  } catch (error) {
    const { message, code = 'XX000' } = error as Error & { code?: string };
    const unknown = { detail: undefined, column: undefined, hint: undefined };
    throw new DriverAdapterError({ kind: 'postgres', code, severity: 'ERROR', message, ...unknown });
  }
}

function pgliteExec(adapter: object): ((script: string) => Promise<unknown>) | undefined {
  if (!('client' in adapter)) return undefined;
  const client = adapter.client as { exec?: (script: string) => Promise<unknown> };
  return client.exec?.bind(client);
}
