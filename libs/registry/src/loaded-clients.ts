import { type ProviderDefinition, tokenHosts } from '#providers';
import { CannotOpen, type Secret, type Vault } from '#vault';
import { LRUCache } from 'lru-cache';
import type { RenewalSettings } from './clients';
import type { Database } from './database';
import type { Definitions } from './definitions';
import { UnknownProvider } from './errors';
import type { Client as ClientRow } from './generated/client';
import { InputsInMemory, type OpenInputs } from './sealed-inputs';

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

/** What clients have in common that go by one definition and differ in their secrets alone. */
interface Kind {
  inputs: OpenInputs;
  hosts: string;
}

/** A hundred thousand of them may be in memory: nothing stands in it that stands in others, too. */
class StoredClient implements LoadedClient {
  readonly id: string;
  readonly enabled: boolean;
  readonly version: number;
  readonly secretVersion: number;
  readonly maxLifeSeconds?: number;
  readonly #kind: Kind;
  readonly #inputs: InputsInMemory;

  constructor({ id, enabled, version, secretVersion, sealedInputs, renewal }: ClientRow, kind: Kind, vault: Vault) {
    [this.id, this.enabled, this.version, this.secretVersion] = [id, enabled, version, secretVersion];
    this.#kind = kind;
    this.#inputs = new InputsInMemory(vault, { clientId: id, secretVersion }, kind.inputs, sealedInputs);
    const { max_ttl_seconds } = renewal as RenewalSettings;
    if (max_ttl_seconds !== undefined) this.maxLifeSeconds = max_ttl_seconds;
  }

  get provider(): string {
    return this.#kind.inputs.definition.provider;
  }

  get definition(): ProviderDefinition {
    return this.#kind.inputs.definition.definition;
  }

  get hosts(): string {
    return this.#kind.hosts;
  }

  inputs(): Promise<Record<string, string | Secret>> {
    return this.#inputs.open();
  }
}

const pageSize = 1_000;
const maxKinds = 2_000;

/** The clients as those see them who renew their tokens. */
export class LoadedClients {
  readonly #kinds = new LRUCache<string, Kind>({ max: maxKinds });

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
    return new StoredClient(row, await this.#kindOf(row), this.vault);
  }

  async #kindOf({ provider, providerVersion, inputs }: ClientRow): Promise<Kind> {
    const definition = await this.definitions.load(provider, providerVersion);
    const name = `${provider}@${providerVersion} ${JSON.stringify(inputs)}`;
    const known = this.#kinds.get(name);
    if (known?.inputs.definition === definition) return known;
    const plain = inputs as Record<string, string>;
    const kind = { inputs: { definition, plain }, hosts: hostsOf(definition.definition, plain) };
    this.#kinds.set(name, kind);
    return kind;
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
