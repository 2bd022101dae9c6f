import type { IncomingMessage } from 'node:http';
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

/** What a request says of who sends it. */
export interface Credentials {
  /** The header, as it came. */
  authorization: string | undefined;
  /** Of the program at the other end of the connection. */
  address: string;
}

/** A revoked key or a narrowed grant acts within this time. */
const knownForMs = 1_000;
/** A database that hangs must not hold up a caller who was known a moment ago. */
const patienceMs = 250;
const maxKnown = 100_000;
/** Keys that there are not: kept apart, so that a flood of them drives out nobody who is known. */
const maxUnknown = 10_000;

type Found = NonNullable<Awaited<ReturnType<Access['find']>>>;

interface Entry {
  /** Absent: there is no such key. */
  found?: Found;
  /** Whom it makes of those who show the key: one object as long as it is the same answer. */
  caller?: Caller;
  checkedAt: number;
}

/**
 * Finds out who presents a key. What the database said is remembered for one second; when it does not answer, what it
 * said last goes on holding, so that a token that is still good is served whatever else is broken.
 */
export class Authenticator {
  readonly #known = new LRUCache<string, Entry>({ max: maxKnown });
  readonly #unknown = new LRUCache<string, Entry>({ max: maxUnknown });
  readonly #checks = new Map<string, Promise<Entry>>();
  readonly #uses = new Map<string, Date>();
  readonly #entries = new WeakMap<Caller, Entry>();
  /** The database let somebody wait in vain, and has answered nothing since. */
  #silent = false;

  constructor(
    private readonly access: Access,
    private readonly apiKeys: ApiKeys,
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** The caller if it is known at this moment without asking the database; `undefined`: ask `identify`; `null`: nobody. */
  identifyNow(credentials: Credentials, clientName = ''): Caller | null | undefined {
    const key = bearerKey(credentials.authorization);
    if (key === undefined) return null;
    const entry = this.#entry(lookUpId(key, clientName));
    if (!entry || !this.#holds(entry)) return undefined;
    return this.#judge(key, entry);
  }

  /**
   * Whether what was said of the caller still holds without asking the database: for who has seen him show the very same
   * key before, and need not see it judged again. It counts as a use.
   */
  stillKnown(caller: Caller): boolean {
    const entry = this.#entries.get(caller);
    if (!entry?.found || !this.#holds(entry) || isOver(entry.found.key)) return false;
    this.#use(entry.found.key.keyId);
    return true;
  }

  /** @throws when the database does not answer and the key was not seen before */
  async identify(credentials: Credentials, clientName = ''): Promise<Caller | null> {
    const now = this.identifyNow(credentials, clientName);
    if (now !== undefined) return now;
    const key = bearerKey(credentials.authorization)!;
    const id = lookUpId(key, clientName);
    const before = this.#known.get(id);
    const checking = this.#checks.get(id) ?? this.#check(id);
    if (!before) return this.#judge(key, await checking);
    // While it is silent no known caller waits for it: the check goes on by itself, and its end tells.
    const answered = checking.catch(() => before);
    const inTime = this.#silent ? before : await Promise.race([answered, delay(patienceMs)]);
    if (inTime === undefined) this.#silent = true;
    const after = inTime ?? before;
    // No answer: what was known holds for another second.
    if (after === before) before.checkedAt = this.monotonic();
    return this.#judge(key, after);
  }

  /** When each key was used last, since this was asked before. */
  takeUses(): Map<string, Date> {
    const uses = new Map(this.#uses);
    this.#uses.clear();
    return uses;
  }

  /** They could not be written down: keep them for the next time. */
  putBackUses(uses: Map<string, Date>): void {
    for (const [keyId, at] of uses) if (!this.#uses.has(keyId)) this.#uses.set(keyId, at);
  }

  /** Keys or grants have just been changed in this process: ask the database again before the next answer. */
  doubt(): void {
    this.#silent = false;
    this.#unknown.clear();
    for (const entry of this.#known.values())
      entry.checkedAt = Math.min(entry.checkedAt, this.monotonic() - knownForMs);
  }

  #entry(id: string): Entry | undefined {
    return this.#known.get(id) ?? this.#unknown.get(id);
  }

  #check(id: string): Promise<Entry> {
    const [prefix, clientName] = id.split(' ') as [string, string];
    const check = this.access
      .find(prefix, clientName)
      .then((found) => {
        this.#silent = false;
        const entry: Entry = { checkedAt: this.monotonic(), ...(found && { found }) };
        if (found) this.#known.set(id, entry);
        else {
          this.#known.delete(id);
          this.#unknown.set(id, entry);
        }
        return entry;
      })
      .finally(() => this.#checks.delete(id));
    this.#checks.set(id, check);
    return check;
  }

  #holds(entry: Entry): boolean {
    return this.monotonic() - entry.checkedAt < knownForMs;
  }

  #judge(key: string, entry: Entry): Caller | null {
    const { found } = entry;
    if (!found || !this.apiKeys.matches(key, found.key.stored) || isOver(found.key)) return null;
    const caller = entry.caller ?? callerOf(found);
    if (!caller) return null;
    if (!entry.caller) {
      entry.caller = caller;
      this.#entries.set(caller, entry);
    }
    this.#use(found.key.keyId);
    return caller;
  }

  #use(keyId: string): void {
    const used = this.#uses.get(keyId);
    if (used) used.setTime(Date.now());
    else this.#uses.set(keyId, new Date());
  }
}

export function credentialsOf({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): Credentials {
  return { authorization: headers.authorization, address: socket.remoteAddress ?? '' };
}

function isOver({ revokedAt, expiresAt }: KeyAccess): boolean {
  return revokedAt !== null || (expiresAt !== null && expiresAt.getTime() <= Date.now());
}

function callerOf({ key, client }: Found): Caller | undefined {
  const principal = principalOf(key);
  return principal && { principal, ...(client && { client }) };
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

/**
 * What is looked up for a key. Anything that is not one of our keys can only be the one that an operator chose: one row,
 * whatever client is named, since it opens no token route; so nonsense costs no look-up.
 */
function lookUpId(key: string, clientName: string): string {
  const prefix = keyPrefix(key);
  return prefix === undefined ? `${bootstrapPrefix} ` : `${prefix} ${clientName}`;
}
