import { type Attestations, sealedPrefix } from '#vault';
import type { Database } from './database';

/** A master key that is needed for what is stored, and that this process cannot use. */
export interface UnusableMasterKey {
  kid: string;
  /** `other`: it has a key of that name, and it is not the one by which things were stored. */
  why: 'missing' | 'other';
  /** What is stored under it, in words. */
  holds: string[];
}

interface Use {
  kid: string;
  clients: boolean;
  definitions: boolean;
  keys: boolean;
}

const statementOf = (kid: string) => ['master_key', kid] as const;

/** Which master keys there are in the fleet, as far as the database can tell: it knows their names and a mark of each. */
export class MasterKeys {
  constructor(
    private readonly db: Database,
    private readonly attestations: Attestations,
  ) {}

  /** Leaves a mark of every key of this process. A name under which nothing is stored any more may be given anew. */
  async register(): Promise<void> {
    for (const { macKid: kid, mac: marker } of this.attestations.attestKeys(statementOf)) {
      const { count } = await this.db.masterKey.createMany({ data: { kid, marker }, skipDuplicates: true });
      if (count > 0) continue;
      const known = await this.db.masterKey.findUnique({ where: { kid } });
      if (!known || this.attestations.holds(statementOf(kid), { mac: known.marker, macKid: kid })) continue;
      const [use] = await this.#uses([kid]);
      // Only from what was read: another replica may have done the same.
      if (!use) await this.db.masterKey.updateMany({ where: { kid, marker: known.marker }, data: { marker } });
    }
  }

  /**
   * The keys that this process lacks for what is stored. Two small queries where it lacks none; else each of them costs
   * a look through the clients. A kid that no replica ever had is a fault of the row that names it, and not in here.
   */
  async unusable(): Promise<UnusableMasterKey[]> {
    const own = new Set(this.#kids());
    const rows = await this.db.masterKey.findMany({ orderBy: { kid: 'asc' } });
    const wanting = rows.filter(
      ({ kid, marker }) => !this.attestations.holds(statementOf(kid), { mac: marker, macKid: kid }),
    );
    const uses = await this.#uses(wanting.map(({ kid }) => kid));
    return uses.map((use) => ({ kid: use.kid, why: own.has(use.kid) ? 'other' : 'missing', holds: inWords(use) }));
  }

  /** The older keys of this process under which things still are: they cannot be taken away yet. */
  async olderInUse(): Promise<{ kid: string; holds: string[] }[]> {
    const uses = await this.#uses(this.#kids().slice(1));
    return uses.map((use) => ({ kid: use.kid, holds: inWords(use) }));
  }

  /** Of this process, the primary one first. */
  #kids(): string[] {
    return this.attestations.attestKeys(statementOf).map(({ macKid }) => macKid);
  }

  /** Of these keys, those under which something is that is still needed. */
  async #uses(kids: string[]): Promise<Use[]> {
    if (kids.length === 0) return [];
    const prefixes = kids.map((kid) => sealedPrefix(kid));
    const uses = await this.db.$queryRaw<Use[]>`
      SELECT m.kid,
             EXISTS (SELECT 1 FROM clients c WHERE starts_with(c.sealed_inputs, m.prefix)) AS clients,
             EXISTS (SELECT 1 FROM provider_versions v
                     WHERE v.mac_kid = m.kid AND EXISTS (
                       SELECT 1 FROM clients c WHERE c.provider = v.provider AND c.provider_version = v.version)) AS definitions,
             EXISTS (SELECT 1 FROM keys k
                     WHERE k.pepper_kid = m.kid AND k.revoked_at IS NULL
                       AND (k.expires_at IS NULL OR k.expires_at > now())) AS keys
      FROM unnest(${kids}::text[], ${prefixes}::text[]) AS m(kid, prefix)
      ORDER BY m.kid`;
    return uses.filter(({ clients, definitions, keys }) => clients || definitions || keys);
  }
}

function inWords({ clients, definitions, keys }: Use): string[] {
  return [...(clients ? ['clients'] : []), ...(definitions ? ['definitions'] : []), ...(keys ? ['API keys'] : [])];
}
