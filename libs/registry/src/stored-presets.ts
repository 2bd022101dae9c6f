import type { Preset } from '#providers';
import { type Attestations, digestOf } from '#vault';
import { record } from './audit';
import type { Database, Transaction } from './database';

/** What tells a row of `provider_versions` from one that somebody else wrote. */
export interface AttestedRow {
  provider: string;
  version: number;
  digest: string;
  preset: boolean;
  mac: Uint8Array<ArrayBuffer>;
  macKid: string;
}

export interface StoredPresets {
  /** Preset -> the version that has the text which this process ships. */
  versions: Map<string, number>;
  /** Presets whose name an admin's own definition had first. It keeps the name, and its clients. */
  hidden: string[];
}

type Seen = AttestedRow & { source: string; deletedAt: Date | null };
type Findings = StoredPresets & { missing: { provider: string; version: number }[]; stale: AttestedRow[] };

/** The row without its source, of which the digest stands in it. */
export function statementOf({ provider, version, preset, digest }: Omit<AttestedRow, 'mac' | 'macKid'>) {
  return ['provider_version', provider, version, preset, digest] as const;
}

/**
 * Sees to it that every preset of this process stands in the database, word for word, as a version to which clients can
 * be pinned: so an update of the broker changes no client. Attests anew what an older master key attested, so that this
 * key can be retired. One query when there is nothing to do; replicas that start together wait for each other.
 */
export async function storePresets(
  db: Database,
  attestations: Attestations,
  presets: ReadonlyMap<string, Preset>,
): Promise<StoredPresets> {
  const found = await look(db, attestations, presets);
  if (found.missing.length === 0 && found.stale.length === 0) return found;
  const store = async (tx: Transaction): Promise<StoredPresets> => {
    const { missing, stale, ...stored } = await look(tx, attestations, presets);
    const by = { actor: 'broker' };
    const added = missing.map(({ provider, version }) => {
      const { source } = presets.get(provider)!;
      const row = { provider, version, preset: true, digest: digestOf(source) };
      return { ...row, source, ...attestations.attest(statementOf(row)), createdBy: by.actor };
    });
    await tx.providerVersion.createMany({ data: added });
    for (const row of stale) {
      const { provider, version } = row;
      const data = attestations.attest(statementOf(row));
      await tx.providerVersion.update({ where: { provider_version: { provider, version } }, data });
    }
    for (const { provider, version } of added) stored.versions.set(provider, version);
    const versions = Object.fromEntries(added.map(({ provider, version }) => [provider, version]));
    if (added.length > 0) await record(tx, by, 'presets.stored', 'providers', { versions });
    return stored;
  };
  // Thousands of old versions under an older key take their time.
  return alone(db, store, { timeout: 60_000 });
}

/** One change of definitions at a time, on all replicas. */
export function alone<T>(
  db: Database,
  work: (tx: Transaction) => Promise<T>,
  options: { timeout?: number } = {},
): Promise<T> {
  return db.$transaction(async (tx) => {
    await tx.$executeRaw`LOCK TABLE provider_versions IN SHARE ROW EXCLUSIVE MODE`;
    return work(tx);
  }, options);
}

async function look(
  db: Transaction,
  attestations: Attestations,
  presets: ReadonlyMap<string, Preset>,
): Promise<Findings> {
  const rows: Seen[] = await db.providerVersion.findMany({
    where: { OR: [{ provider: { in: [...presets.keys()] } }, { macKid: { not: attestations.kid } }] },
    omit: { createdAt: true, createdBy: true },
  });
  const ours = rows.filter((row) => attestations.holds(statementOf(row), row));
  const found: Findings = { versions: new Map(), hidden: [], missing: [], stale: [] };
  for (const [provider, { source }] of presets) {
    const digest = digestOf(source);
    const same = ours.filter((row) => row.provider === provider);
    const stored = same.filter((row) => row.preset && row.digest === digest && row.source === source);
    if (same.some((row) => !row.preset && !row.deletedAt)) found.hidden.push(provider);
    else if (stored.length > 0) found.versions.set(provider, Math.max(...stored.map(({ version }) => version)));
    else found.missing.push({ provider, version: 1 + latest(rows.filter((row) => row.provider === provider)) });
  }
  found.stale = ours.filter((row) => row.macKid !== attestations.kid);
  return found;
}

function latest(rows: readonly { version: number }[]): number {
  return Math.max(0, ...rows.map(({ version }) => version));
}
