import type { KeyDigest } from '#vault';
import type { Database } from './database';

/** What a presented key's prefix leads to. The key itself is still to be compared with the digest. */
export interface KeyAccess {
  keyId: string;
  stored: KeyDigest;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** Of a service's key. */
  service: { id: string; name: string } | null;
  /** Of an admin's key. */
  role: Role | null;
  name: string | null;
}

export type Role = 'admin' | 'operator' | 'viewer';

/** What a service may do with one client. */
export interface ClientAccess {
  clientId: string;
  enabled: boolean;
}

interface KeyRow {
  id: string;
  digest: Uint8Array;
  pepper_kid: string;
  expires_at: Date | null;
  revoked_at: Date | null;
  role: Role | null;
  name: string | null;
  service_id: string | null;
  service_name: string | null;
  client_id: string | null;
  enabled: boolean | null;
}

/** The look-ups behind every authenticated request. */
export class Access {
  constructor(private readonly db: Database) {}

  /**
   * The key of that prefix and, where a client is named and the key's service was granted it, that client: one query,
   * since the token route waits for it.
   */
  async find(prefix: string, clientName?: string): Promise<{ key: KeyAccess; client?: ClientAccess } | undefined> {
    const [row] = await this.db.$queryRaw<KeyRow[]>`
      SELECT k.id, k.digest, k.pepper_kid, k.expires_at, k.revoked_at, k.role, k.name,
             s.id AS service_id, s.name AS service_name, c.id AS client_id, c.enabled
      FROM keys k
      LEFT JOIN services s ON s.id = k.service_id
      LEFT JOIN clients c ON c.name = ${clientName ?? ''} AND EXISTS (
        SELECT 1 FROM grants g
        WHERE g.service_id = k.service_id
          AND (g.client_id = c.id OR (g.label_key IS NOT NULL AND c.labels ->> g.label_key = g.label_value)))
      WHERE k.prefix = ${prefix}`;
    if (!row) return undefined;
    const { service_id, service_name, client_id } = row;
    return {
      key: {
        keyId: row.id,
        stored: { digest: Buffer.from(row.digest), pepperKid: row.pepper_kid },
        expiresAt: row.expires_at,
        revokedAt: row.revoked_at,
        service: service_id !== null && service_name !== null ? { id: service_id, name: service_name } : null,
        role: row.role,
        name: row.name,
      },
      ...(client_id !== null && { client: { clientId: client_id, enabled: row.enabled === true } }),
    };
  }

  /** Notes the last use of many keys at once. */
  async recordUses(uses: Map<string, Date>): Promise<void> {
    if (uses.size === 0) return;
    const ids = [...uses.keys()];
    const times = [...uses.values()].map((at) => at.toISOString());
    await this.db.$executeRaw`
      UPDATE keys SET last_used_at = u.at
      FROM unnest(${ids}::uuid[], ${times}::timestamptz[]) AS u(id, at)
      WHERE keys.id = u.id AND (keys.last_used_at IS NULL OR keys.last_used_at < u.at)`;
  }
}
