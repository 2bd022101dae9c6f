import type { Vault } from '#vault';
import { type By, record } from './audit';
import type { Database, Transaction } from './database';
import { type Definitions, hold } from './definitions';
import { AlreadyExists, isUniqueViolation, NotFound, VersionMismatch } from './errors';
import type { Client as ClientRow, Prisma } from './generated/client';
import { type Page, pageOf, type PageRequest } from './page';
import { type Inputs, sealInputs } from './sealed-inputs';

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
  /** The version of the provider's definition that it goes by. */
  providerVersion: number;
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

export interface ClientFilter {
  condition?: string;
  provider?: string;
  /** `key=value` */
  label?: string;
  /** Part of the name. */
  q?: string;
}

/** The registered key/secret pairs. */
export class Clients {
  constructor(
    private readonly db: Database,
    private readonly vault: Vault,
    private readonly definitions: Definitions,
  ) {}

  /**
   * Registers a client, pinned to the version of the definition that its inputs fit.
   * @throws AlreadyExists, UnknownProvider when the definition was deleted meanwhile
   */
  async register(
    client: Pick<ClientRecord, 'name' | 'labels' | 'renewal'> & { condition: 'fresh' | 'renewing' },
    inputs: Inputs,
    by: By,
  ): Promise<ClientRecord> {
    const id = crypto.randomUUID();
    const { definition: pinned, plain } = inputs;
    const { provider, version: providerVersion } = pinned;
    const sealedInputs = await sealInputs(this.vault, { clientId: id, secretVersion: 1 }, inputs);
    try {
      return await this.db.$transaction(async (tx) => {
        await hold(tx, pinned);
        const renewal = { ...client.renewal };
        const data = { ...client, id, provider, providerVersion, renewal, inputs: plain, sealedInputs };
        const row = await tx.client.create({ data });
        const { labels } = client;
        const detail = { provider, provider_version: providerVersion, labels, renewal, inputs: plain };
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
   * Changes labels, the ways of renewal, or all inputs at once: then they are sealed anew under the next secret version,
   * and the client goes by the definition that they fit.
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
        await hold(tx, inputs.definition);
        const secretVersion = before.secretVersion + 1;
        const sealedInputs = await sealInputs(this.vault, { clientId: before.id, secretVersion }, inputs);
        const { version: providerVersion } = inputs.definition;
        Object.assign(data, { inputs: inputs.plain, sealedInputs, secretVersion, providerVersion });
      }
      const row = await updateOne(tx, before, data);
      const detail = { ...plain, ...(inputs && inputsDetail(before, inputs)) };
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

  /** Enabled clients that are not fresh, as far as is written. */
  async unwell(limit: number): Promise<{ id: string; condition: string }[]> {
    const where = { enabled: true, condition: { not: 'fresh' } };
    return this.db.client.findMany({ where, select: { id: true, condition: true }, take: limit });
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
    // PostgreSQL takes no NUL, and one of all the reasons would keep every condition from being written.
    const reasons = [...changes.values()].map((change) => change.reason?.replaceAll('\0', ' ') ?? null);
    await this.db.$executeRaw`
      UPDATE clients
      SET condition = n.condition, reason = n.reason,
          condition_since = CASE WHEN clients.condition = n.condition THEN condition_since ELSE now() END
      FROM unnest(${ids}::uuid[], ${conditions}::text[], ${reasons}::text[]) AS n(id, condition, reason)
      WHERE clients.id = n.id AND clients.enabled
        AND (clients.condition, clients.reason) IS DISTINCT FROM (n.condition, n.reason)`;
  }
}

function inputsDetail(before: ClientRow, { definition, plain, secret }: Inputs): Prisma.InputJsonObject {
  const moved = definition.version !== before.providerVersion;
  return {
    ...(moved && { provider_version: { from: before.providerVersion, to: definition.version } }),
    inputs: plain,
    secret_inputs: Object.keys(secret),
  };
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
