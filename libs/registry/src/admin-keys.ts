import type { ApiKeys, Secret } from '#vault';
import type { Role } from './access';
import { type By, record } from './audit';
import type { Database, Transaction } from './database';
import { LastAdminKey, NotFound } from './errors';
import type { KeyRecord } from './services';

export interface AdminKeyRecord extends KeyRecord {
  name: string;
  role: Role;
}

/** The prefix of the one key whose text its operator chose; it is found without one. */
export const bootstrapPrefix = 'bootstrap';

const fields = {
  ...{ id: true, name: true, role: true, prefix: true },
  ...{ expiresAt: true, lastUsedAt: true, revokedAt: true, createdAt: true },
};

/** The keys of admins, operators and viewers. */
export class AdminKeys {
  constructor(
    private readonly db: Database,
    private readonly apiKeys: ApiKeys,
  ) {}

  async issue(name: string, role: Role, expiresAt: Date | null, by: By): Promise<AdminKeyRecord & { key: Secret }> {
    return this.db.$transaction((tx) => this.#issue(tx, name, role, expiresAt, by));
  }

  async list(): Promise<AdminKeyRecord[]> {
    const rows = await this.db.key.findMany({
      where: { role: { not: null } },
      orderBy: { createdAt: 'asc' },
      select: fields,
    });
    return rows as AdminKeyRecord[];
  }

  /** Revokes a key; the last usable key of role `admin` stays, for nobody could make another. */
  async revoke(id: string, by: By): Promise<void> {
    await this.db.$transaction(async (tx) => {
      // Two at once would each see the other's key as the one that remains.
      await tx.$executeRaw`LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE`;
      const key = await tx.key.findFirst({ where: { id, role: { not: null } } });
      if (!key) throw new NotFound('key', id);
      if (key.revokedAt) return;
      await tx.key.update({ where: { id }, data: { revokedAt: new Date() } });
      if (!(await this.#usableAdmin(tx))) throw new LastAdminKey();
      await record(tx, by, 'admin_key.revoked', `key:${key.prefix}`, { name: key.name });
    });
  }

  /**
   * Sees to it that somebody can get in: when no usable key of role `admin` exists, makes one of the text given, or of
   * chance. Safe when many replicas start at once.
   * @returns the new key, or undefined when there was one already
   */
  async bootstrap(chosen: Secret | undefined, expiresAt: Date | null): Promise<Secret | undefined> {
    const by: By = { actor: 'bootstrap' };
    return this.db.$transaction(async (tx) => {
      await tx.$executeRaw`LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE`;
      if (await this.#usableAdmin(tx)) return undefined;
      if (!chosen) return (await this.#issue(tx, 'bootstrap', 'admin', expiresAt, by)).key;
      const { digest, pepperKid } = this.apiKeys.digest(chosen.reveal());
      const row = { digest: Uint8Array.from(digest), pepperKid, expiresAt, revokedAt: null, createdAt: new Date() };
      await tx.key.upsert({
        where: { prefix: bootstrapPrefix },
        create: { ...row, prefix: bootstrapPrefix, name: 'bootstrap', role: 'admin' },
        update: row,
      });
      await record(tx, by, 'admin_key.issued', `key:${bootstrapPrefix}`, { name: 'bootstrap', role: 'admin' });
      return chosen;
    });
  }

  async #issue(
    tx: Transaction,
    name: string,
    role: Role,
    expiresAt: Date | null,
    by: By,
  ): Promise<AdminKeyRecord & { key: Secret }> {
    const { key, prefix, digest, pepperKid } = this.apiKeys.mint('tba');
    const data = { prefix, digest: Uint8Array.from(digest), pepperKid, name, role, expiresAt };
    const row = await tx.key.create({ data, select: fields });
    const detail = { name, role, expires_at: expiresAt?.toISOString() ?? null };
    await record(tx, by, 'admin_key.issued', `key:${prefix}`, detail);
    return { ...(row as AdminKeyRecord), key };
  }

  /** One that is not revoked, not expired, and whose pepper is still among the master keys. */
  async #usableAdmin(tx: Transaction): Promise<boolean> {
    const rows = await tx.key.findMany({
      where: { role: 'admin', revokedAt: null, OR: [{ expiresAt: null }, { expiresAt: { gt: new Date() } }] },
      select: { pepperKid: true },
    });
    return rows.some(({ pepperKid }) => this.apiKeys.knowsPepper(pepperKid));
  }
}
