import { type ProviderDefinition, tokenHosts } from '#providers';
import { Secret, type Vault } from '#vault';
import { type By, record } from './audit';
import type { Database, Transaction } from './database';
import { AlreadyExists, isUniqueViolation, NotFound, UnknownProvider, VersionMismatch } from './errors';
import type { Client as ClientRow, Prisma } from './generated/client';
import { type Page, pageOf, type PageRequest } from './page';

/** How a client is to be renewed, where its provider's definition does not fit. As it stands in JSON. */
export interface RenewalSettings {
  /** Its tokens are taken to live no longer than this, whatever the provider says. */
  max_ttl_seconds?: number;
}

/** A client as anyone may see it: its secret inputs are not in it. */
export interface ClientRecord {
  id: string;
  name: string;
  provider: string;
  labels: Record<string, string>;
  renewal: RenewalSettings;
  /** The inputs that are no secrets. */
  inputs: Record<string, string>;
  /** Rises with every change of inputs; tokens got with a lower one are not stored. */
  secretVersion: number;
  enabled: boolean;
  /** As it was when it last changed. */
  condition: string;
  reason: string | null;
  conditionSince: Date;
  /** Rises with every change by an admin. */
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface Inputs {
  plain: Record<string, string>;
  secret: Record<string, Secret>;
}

export interface ClientFilter {
  condition?: string;
  provider?: string;
  /** `key=value` */
  label?: string;
  /** Part of the name. */
  q?: string;
}

/** A client with its provider's definition and its inputs, still sealed. */
export interface LoadedClient {
  id: string;
  provider: string;
  definition: ProviderDefinition;
  secretVersion: number;
  maxLifeSeconds?: number;
  /** @throws CannotOpen */
  inputs(): Promise<Record<string, string | Secret>>;
}

/** The registered key/secret pairs. */
export class Clients {
  constructor(
    private readonly db: Database,
    private readonly vault: Vault,
    private readonly definitions: ReadonlyMap<string, ProviderDefinition>,
  ) {}

  /** @throws UnknownProvider */
  definition(provider: string): ProviderDefinition {
    const definition = this.definitions.get(provider);
    if (!definition) throw new UnknownProvider(provider, [...this.definitions.keys()]);
    return definition;
  }

  /** @throws AlreadyExists */
  async register(
    client: Pick<ClientRecord, 'name' | 'provider' | 'labels' | 'renewal'> & { condition: 'fresh' | 'renewing' },
    inputs: Inputs,
    by: By,
  ): Promise<ClientRecord> {
    const id = crypto.randomUUID();
    const sealedInputs = await this.#seal({ id, provider: client.provider, secretVersion: 1 }, inputs);
    try {
      return await this.db.$transaction(async (tx) => {
        const renewal = { ...client.renewal };
        const row = await tx.client.create({ data: { id, ...client, renewal, inputs: inputs.plain, sealedInputs } });
        const detail = { provider: client.provider, labels: client.labels, renewal, inputs: inputs.plain };
        await record(tx, by, 'client.created', `client:${client.name}`, detail);
        return toRecord(row);
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new AlreadyExists('client', client.name);
      throw error;
    }
  }

  async list({ limit, after, ...filter }: PageRequest & ClientFilter): Promise<Page<ClientRecord>> {
    const [labelKey, labelValue] = filter.label?.split(/=(.*)/s) ?? [];
    const rows = await this.db.client.findMany({
      where: {
        AND: [
          filter.condition !== undefined ? { condition: filter.condition } : {},
          filter.provider !== undefined ? { provider: filter.provider } : {},
          filter.q !== undefined ? { name: { contains: filter.q, mode: 'insensitive' } } : {},
          labelKey === undefined ? {} : { labels: { path: [labelKey], equals: labelValue ?? '' } },
          after !== undefined ? { name: { gt: after } } : {},
        ],
      },
      orderBy: { name: 'asc' },
      take: limit + 1,
    });
    return pageOf(rows.map(toRecord), limit, (row) => row.name);
  }

  /** @throws NotFound */
  async get(name: string): Promise<ClientRecord> {
    const row = await this.db.client.findUnique({ where: { name } });
    if (!row) throw new NotFound('client', name);
    return toRecord(row);
  }

  async exists(name: string): Promise<boolean> {
    return (await this.db.client.count({ where: { name } })) > 0;
  }

  /**
   * Changes labels, the ways of renewal, or all inputs at once: then they are sealed anew under the next secret version.
   * @throws NotFound, VersionMismatch when it is not `expectedVersion` any more
   */
  async update(
    name: string,
    expectedVersion: number,
    changes: { labels?: Record<string, string>; renewal?: RenewalSettings; inputs?: Inputs },
    by: By,
  ): Promise<ClientRecord> {
    return this.db.$transaction(async (tx) => {
      const before = await one(tx, name);
      if (before.version !== expectedVersion) throw new VersionMismatch(before.version);
      const { labels, inputs } = changes;
      const renewal = changes.renewal && { ...changes.renewal };
      const plain = { ...(labels && { labels }), ...(renewal && { renewal }) };
      const data: Prisma.ClientUpdateInput = { ...plain };
      if (inputs) {
        const secretVersion = before.secretVersion + 1;
        const sealedInputs = await this.#seal({ ...before, secretVersion }, inputs);
        Object.assign(data, { inputs: inputs.plain, sealedInputs, secretVersion });
      }
      const row = await updateOne(tx, before, data);
      const changed = Object.keys(inputs?.secret ?? {});
      const detail = { ...plain, ...(inputs && { inputs: inputs.plain, secret_inputs: changed }) };
      await record(tx, by, 'client.updated', `client:${name}`, detail);
      return row;
    });
  }

  /** Enables or disables; doing so twice is no error and writes no second audit row. */
  async setEnabled(name: string, enabled: boolean, by: By): Promise<ClientRecord & { changed: boolean }> {
    return this.db.$transaction(async (tx) => {
      const condition = enabled ? 'renewing' : 'disabled';
      // Whatever else is being changed: a client that has to be stopped is stopped.
      const { count } = await tx.client.updateMany({
        where: { name, enabled: !enabled },
        data: { enabled, condition, reason: null, conditionSince: new Date(), version: { increment: 1 } },
      });
      const row = await one(tx, name);
      if (count > 0) await record(tx, by, enabled ? 'client.enabled' : 'client.disabled', `client:${name}`);
      return { ...toRecord(row), changed: count > 0 };
    });
  }

  /** Deletes the client with its grants; returns what it was. */
  async delete(name: string, by: By): Promise<ClientRecord> {
    return this.db.$transaction(async (tx) => {
      const row = await one(tx, name);
      const { count } = await tx.client.deleteMany({ where: { id: row.id } });
      if (count === 0) throw new NotFound('client', name);
      await record(tx, by, 'client.deleted', `client:${name}`, { provider: row.provider });
      return toRecord(row);
    });
  }

  /**
   * The client with its inputs, sealed, enabled or not; undefined when it is gone.
   * @throws UnknownProvider where this process does not know its definition: another, newer one may
   */
  async load(id: string): Promise<(LoadedClient & { enabled: boolean }) | undefined> {
    const row = await this.db.client.findUnique({ where: { id } });
    if (!row) return undefined;
    const definition = this.definition(row.provider);
    const { provider, secretVersion, enabled, sealedInputs } = row;
    const plain = row.inputs as Record<string, string>;
    const inputs = async (): Promise<Record<string, string | Secret>> => {
      const tokenHost = tokenHosts(definition, plain);
      const opened = await this.vault.open(sealedInputs, { clientId: id, secretVersion, provider, tokenHost });
      const secrets = JSON.parse(opened.reveal()) as Record<string, string>;
      const secret = Object.entries(secrets).map(([key, value]) => [key, new Secret(value)]);
      return { ...plain, ...Object.fromEntries(secret) };
    };
    const { max_ttl_seconds: maxLifeSeconds } = row.renewal as RenewalSettings;
    const limit = maxLifeSeconds === undefined ? {} : { maxLifeSeconds };
    return { id, provider, definition, secretVersion, enabled, inputs, ...limit };
  }

  /** Every client that is to be kept fresh. */
  async active(): Promise<{ id: string; name: string; secretVersion: number; condition: string }[]> {
    return this.db.client.findMany({
      where: { enabled: true },
      select: { id: true, name: true, secretVersion: true, condition: true },
    });
  }

  async namesOf(ids: string[]): Promise<Map<string, string>> {
    const rows = await this.db.client.findMany({ where: { id: { in: ids } }, select: { id: true, name: true } });
    return new Map(rows.map((row) => [row.id, row.name]));
  }

  async countByCondition(): Promise<Map<string, number>> {
    const rows = await this.db.client.groupBy({ by: ['condition'], _count: true });
    return new Map(rows.map((row) => [row.condition, row._count]));
  }

  /** Writes the conditions that changed, many at once; of clients that were disabled meanwhile, none. */
  async recordConditions(changes: Map<string, { condition: string; reason?: string }>): Promise<void> {
    if (changes.size === 0) return;
    const ids = [...changes.keys()];
    const conditions = [...changes.values()].map((change) => change.condition);
    const reasons = [...changes.values()].map((change) => change.reason ?? null);
    await this.db.$executeRaw`
      UPDATE clients
      SET condition = n.condition, reason = n.reason,
          condition_since = CASE WHEN clients.condition = n.condition THEN condition_since ELSE now() END
      FROM unnest(${ids}::uuid[], ${conditions}::text[], ${reasons}::text[]) AS n(id, condition, reason)
      WHERE clients.id = n.id AND clients.enabled
        AND (clients.condition, clients.reason) IS DISTINCT FROM (n.condition, n.reason)`;
  }

  async #seal(row: { id: string; provider: string; secretVersion: number }, inputs: Inputs): Promise<string> {
    const tokenHost = tokenHosts(this.definition(row.provider), inputs.plain);
    const revealed = Object.entries(inputs.secret).map(([key, secret]) => [key, secret.reveal()]);
    const { id: clientId, provider, secretVersion } = row;
    const context = { clientId, secretVersion, provider, tokenHost };
    return this.vault.seal(new Secret(JSON.stringify(Object.fromEntries(revealed))), context);
  }
}

async function one(tx: Transaction, name: string): Promise<ClientRow> {
  const row = await tx.client.findUnique({ where: { name } });
  if (!row) throw new NotFound('client', name);
  return row;
}

/** Counts the version up, unless somebody else did meanwhile. */
async function updateOne(tx: Transaction, before: ClientRow, data: Prisma.ClientUpdateInput): Promise<ClientRecord> {
  const { id, version } = before;
  const changed = { ...data, version: { increment: 1 } } as Prisma.ClientUpdateManyMutationInput;
  const { count } = await tx.client.updateMany({ where: { id, version }, data: changed });
  if (count === 0) throw new VersionMismatch(version + 1);
  return toRecord(await tx.client.findUniqueOrThrow({ where: { id } }));
}

function toRecord({ sealedInputs: _sealed, ...row }: ClientRow): ClientRecord {
  return {
    ...row,
    labels: row.labels as Record<string, string>,
    renewal: row.renewal as RenewalSettings,
    inputs: row.inputs as Record<string, string>,
  };
}
