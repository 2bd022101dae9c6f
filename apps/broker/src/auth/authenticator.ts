import { setTimeout as delay } from 'node:timers/promises';
import { type ApiKeys, keyPrefix } from '#vault';
import { type Access, bootstrapPrefix, type ClientAccess, type KeyAccess, type Role } from '#registry';
import { LRUCache } from 'lru-cache';

/** Who is calling: a service, or an admin with a role. */
export type Principal =
  { kind: 'service'; keyId: string; name: string } | { kind: 'admin'; keyId: string; name: string; role: Role };

export interface Caller {
  principal: Principal;
  /** The client that was named, if this service was granted it. */
  client?: ClientAccess;
}

/** A revoked key or a narrowed grant acts within this time. */
const knownForMs = 1_000;
/** A database that hangs must not hold up a caller who was known a moment ago. */
const patienceMs = 250;
const maxEntries = 10_000;

type Found = Awaited<ReturnType<Access['find']>>;

interface Entry {
  found: Found;
  checkedAt: number;
  checking?: Promise<void>;
}

/**
 * Finds out who presents a key. What the database said is remembered for one second; when it does not answer, what it
 * said last goes on holding, so that a token that is still good is served whatever else is broken.
 */
export class Authenticator {
  readonly #known = new LRUCache<string, Entry>({ max: maxEntries });
  readonly #uses = new Map<string, Date>();

  constructor(
    private readonly access: Access,
    private readonly apiKeys: ApiKeys,
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** The caller if it is known at this moment without asking the database; `undefined`: ask `identify`; `null`: nobody. */
  identifyNow(authorization: string | undefined, clientName = ''): Caller | null | undefined {
    const key = bearerKey(authorization);
    if (key === undefined) return null;
    const entry = this.#known.get(`${lookUpPrefix(key)} ${clientName}`);
    if (!entry || this.monotonic() - entry.checkedAt >= knownForMs) return undefined;
    return this.#judge(key, entry.found);
  }

  /** @throws when the database does not answer and the key was not seen before */
  async identify(authorization: string | undefined, clientName = ''): Promise<Caller | null> {
    const now = this.identifyNow(authorization, clientName);
    if (now !== undefined) return now;
    const key = bearerKey(authorization)!;
    const prefix = lookUpPrefix(key);
    const id = `${prefix} ${clientName}`;
    const entry = this.#known.get(id) ?? { found: undefined, checkedAt: -Infinity };
    const seenBefore = entry.checkedAt !== -Infinity;
    entry.checking ??= this.#check(id, entry, prefix, clientName);
    if (seenBefore) await Promise.race([entry.checking.catch(() => undefined), delay(patienceMs)]);
    else await entry.checking;
    return this.#judge(key, entry.found);
  }

  /** When each key was used last, since this was asked before. */
  takeUses(): Map<string, Date> {
    const uses = new Map(this.#uses);
    this.#uses.clear();
    return uses;
  }

  /** Keys or grants have just been changed in this process: ask the database again before the next answer. */
  doubt(): void {
    for (const entry of this.#known.values())
      entry.checkedAt = Math.min(entry.checkedAt, this.monotonic() - knownForMs);
  }

  async #check(id: string, entry: Entry, prefix: string, clientName: string): Promise<void> {
    this.#known.set(id, entry);
    try {
      entry.found = await this.access.find(prefix, clientName);
      entry.checkedAt = this.monotonic();
    } catch (error) {
      // Ask again in a second, not at every request; an entry that never held anything is not kept.
      if (entry.checkedAt === -Infinity) this.#known.delete(id);
      else entry.checkedAt = this.monotonic();
      throw error;
    } finally {
      delete entry.checking;
    }
  }

  #judge(key: string, found: Found): Caller | null {
    if (!found || !this.apiKeys.matches(key, found.key.stored)) return null;
    const { key: row, client } = found;
    if (row.revokedAt || (row.expiresAt && row.expiresAt.getTime() <= Date.now())) return null;
    const principal = principalOf(row);
    if (!principal) return null;
    const used = this.#uses.get(row.keyId);
    if (used) used.setTime(Date.now());
    else this.#uses.set(row.keyId, new Date());
    return { principal, ...(client && { client }) };
  }
}

function principalOf({ keyId, service, role, name }: KeyAccess): Principal | undefined {
  if (service) return { kind: 'service', keyId, name: service.name };
  return role ? { kind: 'admin', keyId, name: name ?? 'unnamed', role } : undefined;
}

/** RFC 6750 2.1; the scheme is case-insensitive (RFC 9110 11.1). */
function bearerKey(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > 512) return undefined;
  return /^bearer +(\S+)$/i.exec(authorization)?.[1];
}

/** Anything that is not one of our keys can only be the one that an operator chose: one row, and no look-up each. */
function lookUpPrefix(key: string): string {
  return keyPrefix(key) ?? bootstrapPrefix;
}
