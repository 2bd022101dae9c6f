import { setTimeout as delay } from 'node:timers/promises';
import type { Clock, ProviderDefinition } from '#providers';
import { CannotOpen, type Secret } from '#vault';
import { LRUCache } from 'lru-cache';

/** What a renewal has to know of a client. Its secrets stay sealed until `inputs()`. */
export interface RenewableClient {
  id: string;
  provider: string;
  definition: ProviderDefinition;
  /** Rises with each change by an admin. */
  version: number;
  secretVersion: number;
  /** Its tokens are taken to live no longer than this, whatever the provider says. */
  maxLifeSeconds?: number;
  /** Hosts of its token URLs as `tokenHosts` has them: whose quota and whose breaker it is. */
  hosts?: string;
  /** @throws CannotOpen */
  inputs(): Promise<Record<string, string | Secret>>;
}

/**
 * Finds a client that is to be renewed; undefined when there is none (any more), or it is disabled. Throws CannotOpen
 * where what is stored of it cannot be trusted.
 */
export type LoadClient = (clientId: string) => Promise<RenewableClient | undefined>;

/** The same for many; those that cannot be opened are left out. */
export type LoadClients = (clientIds: string[]) => Promise<RenewableClient[]>;

/** The client is not in memory, and whoever was to load it could not. */
export class ClientNotLoaded extends Error {
  readonly code = 'client_not_loaded';

  constructor(options: ErrorOptions) {
    super('the client could not be loaded', options);
    this.name = 'ClientNotLoaded';
  }
}

/** Each reconciling, once a minute, confirms what is in memory; when two have failed to, it is loaded again. */
const unconfirmedMs = 150_000;
/** What is in memory is waited for no longer. */
const patienceMs = 1_000;
const maxEntries = 200_000;

interface Entry {
  client: RenewableClient;
  confirmedAt: number;
}

/** Clients, still sealed, in memory: so that renewals need no database, and go on while it is away. */
export class RenewableClients {
  // With `max` it would take the memory for all of them at once.
  readonly #cache = new LRUCache<string, Entry>({ maxSize: maxEntries, sizeCalculation: () => 1 });
  /** What was changed while something is loaded, for each such loading. */
  readonly #changed = new Set<Set<string>>();

  constructor(
    private readonly loadClient: LoadClient,
    private readonly clock: Clock,
  ) {}

  /** @throws CannotOpen, or ClientNotLoaded when `loadClient` fails otherwise, and the client is not in memory either */
  async load(clientId: string): Promise<RenewableClient | undefined> {
    const cached = this.#cache.get(clientId);
    if (cached && this.clock.monotonic() - cached.confirmedAt < unconfirmedMs) return cached.client;
    const loading = this.take(async () => {
      const client = await this.loadClient(clientId);
      if (!client) this.#cache.delete(clientId);
      return client ? [client] : [];
    }).then(([client]) => client);
    try {
      // A database that hangs must not use up the lease of a claim.
      return await (cached ? Promise.race([loading, delay(patienceMs, cached.client, { ref: false })]) : loading);
    } catch (error) {
      if (cached) return cached.client;
      throw error instanceof CannotOpen ? error : new ClientNotLoaded({ cause: error });
    }
  }

  /** These are the present versions: what is in memory of another one is dropped. Returns those that are not in memory. */
  confirm(present: { id: string; version: number }[]): string[] {
    const confirmedAt = this.clock.monotonic();
    return present.flatMap(({ id, version }) => {
      const entry = this.#cache.peek(id);
      if (entry?.client.version !== version) {
        this.#cache.delete(id);
        return [id];
      }
      entry.confirmedAt = confirmedAt;
      return [];
    });
  }

  /** Loads clients and remembers them, but for those that were changed meanwhile: they may have been read before. */
  async take(load: () => Promise<RenewableClient[]>): Promise<RenewableClient[]> {
    const changed = new Set<string>();
    this.#changed.add(changed);
    try {
      const clients = await load();
      for (const client of clients) if (!changed.has(client.id)) this.remember(client);
      return clients;
    } finally {
      this.#changed.delete(changed);
    }
  }

  /** As it is at this moment, so that it need not be loaded. */
  remember(client: RenewableClient): void {
    this.#cache.set(client.id, { client, confirmedAt: this.clock.monotonic() });
  }

  /** It was changed: what is in memory must not be used again. */
  drop(clientId: string): void {
    this.#cache.delete(clientId);
    for (const changed of this.#changed) changed.add(clientId);
  }

  /** All that are in memory, those used last first. */
  *known(): Iterable<RenewableClient> {
    for (const { client } of this.#cache.values()) yield client;
  }
}
