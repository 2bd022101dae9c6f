import type { ApiKeys, Secret } from '#vault';
import { type By, record } from './audit';
import type { Database } from './database';
import { AlreadyExists, isUniqueViolation, NotFound } from './errors';
import { type Page, pageOf, type PageRequest } from './page';

export interface ServiceRecord {
  id: string;
  name: string;
  createdAt: Date;
}

/** A key as it is listed: never the key itself. */
export interface KeyRecord {
  id: string;
  prefix: string;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
  createdAt: Date;
}

const keyFields = { id: true, prefix: true, expiresAt: true, lastUsedAt: true, revokedAt: true, createdAt: true };

/** The internal programs that fetch tokens, and their keys. */
export class Services {
  constructor(
    private readonly db: Database,
    private readonly apiKeys: ApiKeys,
  ) {}

  async create(name: string, by: By): Promise<ServiceRecord> {
    try {
      return await this.db.$transaction(async (tx) => {
        const service = await tx.service.create({ data: { name } });
        await record(tx, by, 'service.created', `service:${name}`);
        return service;
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new AlreadyExists('service', name);
      throw error;
    }
  }

  async list({ limit, after }: PageRequest): Promise<Page<ServiceRecord>> {
    const rows = await this.db.service.findMany({
      ...(after !== undefined && { where: { name: { gt: after } } }),
      orderBy: { name: 'asc' },
      take: limit + 1,
    });
    return pageOf(rows, limit, (row) => row.name);
  }

  /** @throws NotFound */
  async get(name: string): Promise<ServiceRecord> {
    const service = await this.db.service.findUnique({ where: { name } });
    if (!service) throw new NotFound('service', name);
    return service;
  }

  /** Deletes the service with its keys and grants. */
  async delete(name: string, by: By): Promise<void> {
    await this.db.$transaction(async (tx) => {
      const { count } = await tx.service.deleteMany({ where: { name } });
      if (count === 0) throw new NotFound('service', name);
      await record(tx, by, 'service.deleted', `service:${name}`);
    });
  }

  /** The key itself is returned this once; only its digest is stored. */
  async issueKey(name: string, expiresAt: Date | null, by: By): Promise<KeyRecord & { key: Secret }> {
    const service = await this.get(name);
    const { key, prefix, digest, pepperKid } = this.apiKeys.mint('tbk');
    return this.db.$transaction(async (tx) => {
      const row = await tx.key.create({
        data: { prefix, digest: Uint8Array.from(digest), pepperKid, serviceId: service.id, expiresAt },
        select: keyFields,
      });
      const detail = { prefix, expires_at: expiresAt?.toISOString() ?? null };
      await record(tx, by, 'key.issued', `service:${name}`, detail);
      return { ...row, key };
    });
  }

  async keys(name: string): Promise<KeyRecord[]> {
    const { id } = await this.get(name);
    return this.db.key.findMany({ where: { serviceId: id }, orderBy: { createdAt: 'asc' }, select: keyFields });
  }

  /** Revoking twice is no error: the wish is fulfilled. */
  async revokeKey(name: string, keyId: string, by: By): Promise<void> {
    const { id } = await this.get(name);
    await this.db.$transaction(async (tx) => {
      const key = await tx.key.findFirst({ where: { id: keyId, serviceId: id } });
      if (!key) throw new NotFound('key', keyId);
      if (key.revokedAt) return;
      await tx.key.update({ where: { id: keyId }, data: { revokedAt: new Date() } });
      await record(tx, by, 'key.revoked', `service:${name}`, { prefix: key.prefix });
    });
  }
}
