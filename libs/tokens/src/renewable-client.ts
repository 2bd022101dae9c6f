import type { Clock, ProviderDefinition } from '#providers';
import { CannotOpen, type Secret } from '#vault';
import { LRUCache } from 'lru-cache';

/** What a renewal has to know of a client. Its secrets stay sealed until `inputs()`. */
export interface RenewableClient {
  id: string;
  provider: string;
  definition: ProviderDefinition;
  secretVersion: number;
  /** Its tokens are taken to live no longer than this, whatever the provider says. */
  maxLifeSeconds?: number;
  /** Hosts of its token URLs as `tokenHosts` has them; needed where the definition has a quota. */
  hosts?: string;
  /** @throws CannotOpen */
  inputs(): Promise<Record<string, string | Secret>>;
}

/**
 * Finds a client that is to be renewed; undefined when there is none (any more), or it is disabled. Throws CannotOpen
 * where what is stored of it cannot be trusted.
 */
export type LoadClient = (clientId: string) => Promise<RenewableClient | undefined>;

/** The client is not in memory, and whoever was to load it could not. */
export class ClientNotLoaded extends Error {
  readonly code = 'client_not_loaded';

  constructor(options: ErrorOptions) {
    super('the client could not be loaded', options);
    this.name = 'ClientNotLoaded';
  }
}

const reloadAfterMs = 60_000;
const maxEntries = 100_000;

/** Clients, still sealed, in memory: so that renewals go on while the database is away. */
export class RenewableClients {
  readonly #cache = new LRUCache<string, { client: RenewableClient; loadedAt: number }>({ max: maxEntries });

  constructor(
    private readonly loadClient: LoadClient,
    private readonly clock: Clock,
  ) {}

  /** @throws CannotOpen, or ClientNotLoaded when `loadClient` fails otherwise, and the client is not in memory either */
  async load(clientId: string): Promise<RenewableClient | undefined> {
    const cached = this.#cache.get(clientId);
    if (cached && this.clock.monotonic() - cached.loadedAt < reloadAfterMs) return cached.client;
    try {
      const client = await this.loadClient(clientId);
      if (client) this.remember(client);
      else this.#cache.delete(clientId);
      return client;
    } catch (error) {
      if (cached) return cached.client;
      throw error instanceof CannotOpen ? error : new ClientNotLoaded({ cause: error });
    }
  }

  /** As it is at this moment, so that it need not be loaded. */
  remember(client: RenewableClient): void {
    this.#cache.set(client.id, { client, loadedAt: this.clock.monotonic() });
  }

  /** It was changed: what is in memory must not be used again. */
  drop(clientId: string): void {
    this.#cache.delete(clientId);
  }
}
