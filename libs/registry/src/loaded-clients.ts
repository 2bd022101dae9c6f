import { type ProviderDefinition, tokenHosts } from '#providers';
import { CannotOpen, type Secret, type Vault } from '#vault';
import type { RenewalSettings } from './clients';
import type { Database } from './database';
import type { Definitions } from './definitions';
import { UnknownProvider } from './errors';
import type { Client as ClientRow } from './generated/client';
import { InputsInMemory } from './sealed-inputs';

/** A client with its provider's definition and its inputs, still sealed. */
export interface LoadedClient {
  id: string;
  provider: string;
  definition: ProviderDefinition;
  enabled: boolean;
  version: number;
  secretVersion: number;
  maxLifeSeconds?: number;
  /** Hosts of its token URLs. */
  hosts: string;
  /** @throws CannotOpen */
  inputs(): Promise<Record<string, string | Secret>>;
}

const pageSize = 1_000;

/** The clients as those see them who renew their tokens. */
export class LoadedClients {
  constructor(
    private readonly db: Database,
    private readonly vault: Vault,
    private readonly definitions: Definitions,
  ) {}

  /**
   * The client with its inputs, sealed, enabled or not; undefined when it is gone.
   * @throws CannotOpen where its definition cannot be trusted or read, UnknownProvider where it is gone
   */
  async load(id: string): Promise<LoadedClient | undefined> {
    const row = await this.db.client.findUnique({ where: { id } });
    return row ? this.#loaded(row) : undefined;
  }

  /** Those that are enabled; without those that cannot be opened, of which `load` tells why. */
  async loadMany(ids: string[]): Promise<LoadedClient[]> {
    const rows = await this.db.client.findMany({ where: { id: { in: ids }, enabled: true } });
    const loaded: LoadedClient[] = [];
    for (const row of rows) {
      const client = await this.#loaded(row).catch((error: unknown) => {
        if (error instanceof CannotOpen || error instanceof UnknownProvider) return undefined;
        throw error;
      });
      if (client) loaded.push(client);
    }
    return loaded;
  }

  /** How many are to be kept fresh. */
  count(): Promise<number> {
    return this.db.client.count({ where: { enabled: true } });
  }

  /** All that are to be kept fresh, some at a time: a hundred thousand at once would hold up everything else. */
  async *pages(): AsyncIterable<{ id: string; version: number; secretVersion: number }[]> {
    for (let after: string | undefined; ;) {
      const page = await this.db.client.findMany({
        where: { enabled: true, ...(after !== undefined && { id: { gt: after } }) },
        select: { id: true, version: true, secretVersion: true },
        orderBy: { id: 'asc' },
        take: pageSize,
      });
      if (page.length > 0) yield page;
      if (page.length < pageSize) return;
      after = page.at(-1)!.id;
    }
  }

  async #loaded(row: ClientRow): Promise<LoadedClient> {
    const { id, provider, version, secretVersion, enabled, sealedInputs } = row;
    const pinned = await this.definitions.load(provider, row.providerVersion);
    const { definition } = pinned;
    const plain = row.inputs as Record<string, string>;
    const kept = new InputsInMemory(
      this.vault,
      { clientId: id, secretVersion },
      { definition: pinned, plain },
      sealedInputs,
    );
    const inputs = () => kept.open();
    const { max_ttl_seconds: maxLifeSeconds } = row.renewal as RenewalSettings;
    const limit = maxLifeSeconds === undefined ? {} : { maxLifeSeconds };
    const hosts = hostsOf(definition, plain);
    return { id, provider, definition, version, secretVersion, enabled, inputs, hosts, ...limit };
  }
}

/** @throws CannotOpen where what is stored makes no URL: no admin can have stored it so */
function hostsOf(definition: ProviderDefinition, plain: Record<string, string>): string {
  try {
    return tokenHosts(definition, plain);
  } catch (cause) {
    throw new CannotOpen("the client's inputs make no URL", { cause });
  }
}
