import type { KeyDigest } from '#vault';
import type { Database } from './database';
import { Prisma } from './generated/client';

/** What a presented key's prefix leads to. The key itself is still to be compared with the digest. */
export interface KeyAccess {
  keyId: string;
  stored: KeyDigest;
  expiresAt: Date | null;
  revokedAt: Date | null;
  /** Of a service's key. */
  service: string | null;
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

/** A service that there is, and the client that was named with it, if it was granted that. */
export interface ServiceAccess {
  client?: ClientAccess;
}

/** Opaque marks: where one is what it was, nothing of its kind has changed meanwhile. */
export interface AccessEpoch {
  /** Of what was found. */
  found: string;
  /** Of what was not found: it may have been added. */
  missing: string;
  /** Of the prefixes of all keys. */
  prefixes: string;
}

/** Answers of one moment, by what was asked for; what there is not is not among them. */
export interface AccessAnswers<V> {
  epoch: AccessEpoch;
  found: Map<string, V>;
}

interface EpochRow {
  added: string;
  changed: string;
  keys: string;
  server: string;
}

interface KeyRow extends EpochRow {
  prefix: string | null;
  id: string;
  digest: Uint8Array;
  pepper_kid: string;
  expires_at: Date | null;
  revoked_at: Date | null;
  role: Role | null;
  name: string | null;
  service: string | null;
}

interface GrantRow extends EpochRow {
  asked: string | null;
  client_id: string | null;
  enabled: boolean | null;
}

const counted = Prisma.sql`coalesce(sum(added), 0)::text AS added, coalesce(sum(changed), 0)::text AS changed,
  coalesce(sum(keys), 0)::text AS keys, pg_postmaster_start_time()::text AS server`;

/** The look-ups behind every authenticated request: each tells in which epoch it was made, all in one snapshot. */
export class Access {
  constructor(private readonly db: Database) {}

  async epoch(): Promise<AccessEpoch> {
    const rows = await this.db.$queryRaw<EpochRow[]>`
      SELECT ${counted} FROM access_epoch`;
    return epochOf(rows);
  }

  async prefixes(): Promise<{ epoch: AccessEpoch; prefixes: string[] }> {
    // One text in place of as many rows: there may be 100,000.
    const rows = await this.db.$queryRaw<(EpochRow & { prefixes: string })[]>`
      SELECT ${counted}, (SELECT coalesce(string_agg(prefix, ' '), '') FROM keys) AS prefixes
      FROM access_epoch`;
    return { epoch: epochOf(rows), prefixes: rows[0]!.prefixes.split(' ') };
  }

  /** The keys of these prefixes. */
  async keys(prefixes: string[]): Promise<AccessAnswers<KeyAccess>> {
    const rows = await this.db.$queryRaw<KeyRow[]>`
      WITH e AS (SELECT ${counted} FROM access_epoch)
      SELECT e.*, k.prefix, k.id, k.digest, k.pepper_kid, k.expires_at, k.revoked_at, k.role, k.name, s.name AS service
      FROM e LEFT JOIN keys k ON k.prefix = ANY(${prefixes}) LEFT JOIN services s ON s.id = k.service_id`;
    return {
      epoch: epochOf(rows),
      found: new Map(rows.flatMap((row) => (row.prefix ? [[row.prefix, keyOf(row)]] : []))),
    };
  }

  /** @param asked `service client`; where the client is left out, only whether there is that service */
  async grants(asked: string[]): Promise<AccessAnswers<ServiceAccess>> {
    const services = asked.map((pair) => pair.slice(0, pair.indexOf(' ')));
    const clients = asked.map((pair) => pair.slice(pair.indexOf(' ') + 1));
    const rows = await this.db.$queryRaw<GrantRow[]>`
      WITH e AS (SELECT ${counted} FROM access_epoch), found AS (
        SELECT a.service || ' ' || a.client AS asked, c.id AS client_id, c.enabled
        FROM unnest(${services}::text[], ${clients}::text[]) AS a(service, client)
        JOIN services s ON s.name = a.service
        LEFT JOIN clients c ON c.name = a.client AND EXISTS (
          SELECT 1 FROM grants g
          WHERE g.service_id = s.id
            AND (g.client_id = c.id OR (g.label_key IS NOT NULL AND c.labels ->> g.label_key = g.label_value))))
      SELECT e.*, found.* FROM e LEFT JOIN found ON true`;
    const found = new Map<string, ServiceAccess>();
    for (const { asked: pair, client_id, enabled } of rows) {
      if (pair !== null)
        found.set(pair, client_id === null ? {} : { client: { clientId: client_id, enabled: enabled === true } });
    }
    return { epoch: epochOf(rows), found };
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

/** A server that was started anew, or took over from another, may have lost what the other had counted. */
function epochOf([row]: EpochRow[]): AccessEpoch {
  const { added, changed, keys, server } = row!;
  const missing = `${server} ${changed} ${added} ${keys}`;
  return { found: `${server} ${changed}`, missing, prefixes: `${server} ${keys}` };
}

function keyOf({ id, digest, pepper_kid, expires_at, revoked_at, service, role, name }: KeyRow): KeyAccess {
  // Not a part of Node's pool: it is kept for as long as the key is used, and would keep the 8 KB around it.
  const stored = { digest: Buffer.alloc(digest.length, digest), pepperKid: pepper_kid };
  return { keyId: id, stored, expiresAt: expires_at, revokedAt: revoked_at, service, role, name };
}
