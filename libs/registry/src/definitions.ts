import { type Fault, InvalidDefinition, type Preset, type ProviderDefinition, readDefinition } from '#providers';
import { type Attestations, CannotOpen, digestOf } from '#vault';
import { LRUCache } from 'lru-cache';
import { type By, record } from './audit';
import type { Database, Transaction } from './database';
import {
  AlreadyExists,
  DefinitionUnusable,
  NotFound,
  ProviderInUse,
  ProviderIsPreset,
  UnknownProvider,
  VersionMismatch,
} from './errors';
import { type Page, pageOf, type PageRequest } from './page';
import { alone, statementOf, storePresets } from './stored-presets';

/** One version of a provider's definition. It never changes, and its row was seen to be ours. */
export interface DefinitionVersion {
  provider: string;
  version: number;
  definition: ProviderDefinition;
  /** What is not wrong but worth a second look. */
  warnings: readonly Fault[];
  /** YAML, as it was given. */
  source: string;
  /** SHA-256 of the source, in hex. */
  digest: string;
  /** It came with the broker. */
  preset: boolean;
  createdAt: Date;
  createdBy: string;
}

/** A provider as it is listed: with the definition that a new client would get, unless that cannot be used. */
export interface ListedProvider {
  provider: string;
  version: number;
  preset: boolean;
  clients: number;
  definition?: ProviderDefinition;
  /** Why it cannot be used. */
  fault?: string;
}

export interface VersionRecord {
  version: number;
  preset: boolean;
  digest: string;
  createdAt: Date;
  createdBy: string;
  /** So many clients go by it. */
  clients: number;
}

const maxKept = 2_000;

/**
 * The providers' definitions: presets, which come with the broker, and the admins' own. A change makes a new version; a
 * version never changes, nor does its number ever stand for another text.
 */
export class Definitions {
  /** For ever, since they never change: renewals go on while the database is away. */
  readonly #kept = new LRUCache<string, DefinitionVersion>({ max: maxKept });
  #presetVersions: ReadonlyMap<string, number> = new Map();

  constructor(
    private readonly db: Database,
    private readonly attestations: Attestations,
    private readonly presets: ReadonlyMap<string, Preset>,
  ) {}

  /**
   * Stores the presets of this process as versions, where they are not yet. To be called before anything else.
   * @returns the presets that an admin's own definition of the same name hides
   */
  async storePresets(): Promise<string[]> {
    const { versions, hidden } = await storePresets(this.db, this.attestations, this.presets);
    this.#presetVersions = versions;
    return hidden;
  }

  async list({ limit, after }: PageRequest): Promise<Page<ListedProvider>> {
    const rows = await this.db.providerVersion.groupBy({
      by: ['provider'],
      where: { deletedAt: null, ...(after !== undefined && { provider: { gt: after } }) },
      _max: { version: true },
      orderBy: { provider: 'asc' },
      take: limit + 1,
    });
    const { items, next } = pageOf(rows, limit, (row) => row.provider);
    const counts = await this.db.client.groupBy({
      by: ['provider'],
      where: { provider: { in: items.map(({ provider }) => provider) } },
      _count: true,
    });
    const clientsOf = new Map(counts.map((row) => [row.provider, row._count]));
    const listed = items.map(async ({ provider, _max }) => {
      const version = this.#presetVersions.get(provider) ?? _max.version!;
      const clients = clientsOf.get(provider) ?? 0;
      try {
        const { definition, preset } = await this.load(provider, version);
        return { provider, version, preset, clients, definition };
      } catch (error) {
        if (!(error instanceof CannotOpen)) throw error;
        return { provider, version, preset: this.#presetVersions.has(provider), clients, fault: error.message };
      }
    });
    return { items: await Promise.all(listed), ...(next !== undefined && { next }) };
  }

  /**
   * @param version absent: the one that a new client gets
   * @throws NotFound, CannotOpen
   */
  async get(provider: string, version?: number): Promise<DefinitionVersion> {
    const current = await this.#current(provider);
    if (current === undefined) throw new NotFound('provider', provider);
    const found = await this.#named(provider, version ?? current, current);
    if (!found) throw new NotFound('provider', `${provider}, version ${version}`);
    return found;
  }

  /**
   * The definition that a client names.
   * @throws UnknownProvider, CannotOpen
   */
  async choose(provider: string, version?: number): Promise<DefinitionVersion> {
    const current = await this.#current(provider);
    if (current === undefined) throw new UnknownProvider(provider, await this.#providers());
    const found = await this.#named(provider, version ?? current, current);
    if (!found) throw new UnknownProvider(provider, [`1 to ${current}`], version);
    return found;
  }

  /**
   * The definition that a client is pinned to. Asks the database once for each.
   * @throws UnknownProvider, CannotOpen
   */
  async load(provider: string, version: number): Promise<DefinitionVersion> {
    const found = await this.#find(provider, version);
    if (!found) throw new UnknownProvider(provider, [], version);
    return found;
  }

  /** The version that a new client of each provider gets; those that are not there are left out. */
  async currentVersions(providers: readonly string[]): Promise<Map<string, number>> {
    const rows = await this.db.providerVersion.groupBy({
      by: ['provider'],
      where: { deletedAt: null, provider: { in: [...new Set(providers)] } },
      _max: { version: true },
    });
    return new Map(rows.map(({ provider, _max }) => [provider, this.#presetVersions.get(provider) ?? _max.version!]));
  }

  /**
   * Every version of a provider, the newest first.
   * @throws NotFound
   */
  async versions(provider: string, { limit, after }: PageRequest): Promise<Page<VersionRecord>> {
    if ((await this.#current(provider)) === undefined) throw new NotFound('provider', provider);
    const [rows, counts] = await Promise.all([
      this.db.providerVersion.findMany({
        where: { provider, deletedAt: null, ...(after !== undefined && { version: { lt: Number(after) } }) },
        orderBy: { version: 'desc' },
        take: limit + 1,
        omit: { source: true },
      }),
      this.db.client.groupBy({ by: ['providerVersion'], where: { provider }, _count: true }),
    ]);
    const clientsOf = new Map(counts.map((row) => [row.providerVersion, row._count]));
    const records = rows.map((row) => ({ ...row, clients: clientsOf.get(row.version) ?? 0 }));
    return pageOf(records, limit, ({ version }) => String(version));
  }

  /** @throws InvalidDefinition, AlreadyExists, ProviderIsPreset */
  async create(source: string, by: By): Promise<DefinitionVersion> {
    const provider = readDefinition(source).definition.id;
    const version = await alone(this.db, async (tx) => {
      const { live, next } = await this.#own(tx, provider);
      if (live.length > 0) throw new AlreadyExists('provider', provider);
      return this.#add(tx, { provider, version: next, source }, 'provider.created', by);
    });
    return this.load(provider, version);
  }

  /**
   * Makes a new version, which no client goes by yet; the same text again makes none.
   * @throws InvalidDefinition, NotFound, ProviderIsPreset, VersionMismatch when it is not `expectedVersion` any more
   */
  async change(provider: string, source: string, expectedVersion: number, by: By): Promise<DefinitionVersion> {
    const { definition } = readDefinition(source);
    if (definition.id !== provider) {
      throw new InvalidDefinition([{ pointer: '/id', detail: `must be "${provider}": a provider keeps its id` }]);
    }
    const version = await alone(this.db, async (tx) => {
      const { live, next } = await this.#own(tx, provider);
      const newest = live.at(-1);
      if (!newest) throw new NotFound('provider', provider);
      if (newest.version !== expectedVersion) throw new VersionMismatch(newest.version);
      const attested = newest.digest === digestOf(source) && this.attestations.holds(statementOf(newest), newest);
      // The text alone may have been altered in the database: then sending the right one again mends it.
      const same =
        attested && (await tx.providerVersion.count({ where: { provider, version: expectedVersion, source } }));
      return same ? newest.version : this.#add(tx, { provider, version: next, source }, 'provider.changed', by);
    });
    return this.load(provider, version);
  }

  /** @throws NotFound, ProviderIsPreset, ProviderInUse */
  async delete(provider: string, by: By): Promise<void> {
    await alone(this.db, async (tx) => {
      const { live } = await this.#own(tx, provider);
      if (live.length === 0) throw new NotFound('provider', provider);
      // Before clients are counted: whoever registers one holds these rows until it is there to be counted.
      await tx.providerVersion.updateMany({ where: { provider, deletedAt: null }, data: { deletedAt: new Date() } });
      const clients = await tx.client.count({ where: { provider } });
      if (clients > 0) throw new ProviderInUse(provider, clients);
      await record(tx, by, 'provider.deleted', `provider:${provider}`, { version: live.at(-1)!.version });
    });
    // It may have hidden a preset.
    if (this.presets.has(provider)) await this.storePresets();
  }

  async #current(provider: string): Promise<number | undefined> {
    return this.#presetVersions.get(provider) ?? (await this.currentVersions([provider])).get(provider);
  }

  async #providers(): Promise<string[]> {
    const where = { deletedAt: null };
    const rows = await this.db.providerVersion.groupBy({ by: ['provider'], where, orderBy: { provider: 'asc' } });
    return rows.map(({ provider }) => provider);
  }

  /** A version as somebody names it: not one of an earlier life of the provider, though it may be in memory. */
  async #named(provider: string, version: number, current: number): Promise<DefinitionVersion | undefined> {
    const where = { provider, version, deletedAt: null };
    if (version !== current && (await this.db.providerVersion.count({ where })) === 0) return undefined;
    return this.#find(provider, version);
  }

  async #find(provider: string, version: number): Promise<DefinitionVersion | undefined> {
    const kept = this.#kept.get(`${provider}@${version}`);
    if (kept) return kept;
    const row = await this.db.providerVersion.findUnique({ where: { provider_version: { provider, version } } });
    if (!row) return undefined;
    if (!this.attestations.holds(statementOf(row), row) || digestOf(row.source) !== row.digest) {
      throw new DefinitionUnusable(provider, version, 'was changed by hand, or its key has left MASTER_KEYS');
    }
    try {
      const found = { ...row, ...readDefinition(row.source) };
      this.#kept.set(`${provider}@${version}`, found);
      return found;
    } catch (cause) {
      if (!(cause instanceof InvalidDefinition)) throw cause;
      throw new DefinitionUnusable(provider, version, 'cannot be read by this version of the broker', { cause });
    }
  }

  /** The versions of an own definition that are not deleted, oldest first, and the number of the next one. */
  async #own(tx: Transaction, provider: string) {
    const omit = { source: true };
    const rows = await tx.providerVersion.findMany({ where: { provider }, orderBy: { version: 'asc' }, omit });
    const live = rows.filter((row) => row.deletedAt === null);
    if (live.at(-1)?.preset ?? this.presets.has(provider)) throw new ProviderIsPreset(provider);
    return { live, next: (rows.at(-1)?.version ?? 0) + 1 };
  }

  async #add(
    tx: Transaction,
    { source, ...row }: { provider: string; version: number; source: string },
    action: string,
    by: By,
  ): Promise<number> {
    const stated = { ...row, preset: false, digest: digestOf(source) };
    const data = { ...stated, source, ...this.attestations.attest(statementOf(stated)), createdBy: by.actor };
    await tx.providerVersion.create({ data });
    await record(tx, by, action, `provider:${row.provider}`, { version: row.version, digest: stated.digest });
    return row.version;
  }
}

/**
 * Keeps the definition from being deleted until the transaction, in which a client is pinned to it, has ended.
 * @throws UnknownProvider
 */
export async function hold(tx: Transaction, { provider, version }: DefinitionVersion): Promise<void> {
  const rows = await tx.$queryRaw<unknown[]>`
    SELECT version FROM provider_versions
    WHERE provider = ${provider} AND version = ${version} AND deleted_at IS NULL FOR SHARE`;
  if (rows.length === 0) throw new UnknownProvider(provider, []);
}
