import { timingSafeEqual } from 'node:crypto';
import { type Access, bootstrapPrefix, type KeyAccess } from '#registry';
import { type ApiKeys, keyPrefix } from '#vault';
import type { Epochs } from './epochs';
import { type Principal, type Proof, Refusal } from './principal';
import { Lookups, type Remembered } from './remembered';

const prefixChars = 12;

/** A key as it is stored, and the proof that it was presented. */
class StoredKey {
  /** What opened it before: to compare with it takes a tenth of the time of an HMAC. */
  #opened: Buffer | undefined;
  #proof: Proof | undefined;
  readonly #principal: Principal | undefined;

  constructor(
    readonly prefix: string,
    private readonly row: KeyAccess,
    private readonly apiKeys: ApiKeys,
  ) {
    this.#principal = principalOf(row);
  }

  openedBefore(key: string): boolean {
    const presented = Buffer.from(key);
    return this.#opened?.length === presented.length && timingSafeEqual(this.#opened, presented);
  }

  opens(key: string): boolean {
    if (!this.apiKeys.matches(key, this.row.stored)) return false;
    this.#opened = Buffer.alloc(Buffer.byteLength(key), key); // not a part of Node's pool, which it would keep
    return true;
  }

  /** The key fits: whether it is still one. */
  judge(holds: () => boolean): Proof | Refusal {
    const principal = this.#principal;
    if (!principal || this.row.revokedAt) return new Refusal('revoked', this.prefix);
    if (this.#hasExpired()) return new Refusal('expired', this.prefix);
    this.#proof ??= { principal, holds: () => holds() && !this.#hasExpired() };
    return this.#proof;
  }

  #hasExpired(): boolean {
    const { expiresAt } = this.row;
    return expiresAt !== null && expiresAt.getTime() <= Date.now();
  }
}

/** Who comes with an API key. */
export class KeyDoor {
  readonly #lookups: Lookups<StoredKey>;
  #prefixes: { mark: string; all: ReadonlySet<string> } | undefined;
  #loading: Promise<void> | undefined;

  constructor(
    private readonly access: Pick<Access, 'keys' | 'prefixes'>,
    private readonly apiKeys: ApiKeys,
    private readonly epochs: Epochs,
  ) {
    this.#lookups = new Lookups(epochs, async (prefixes) => {
      const { epoch, found } = await access.keys(prefixes);
      const stored = [...found].map(([prefix, row]) => [prefix, new StoredKey(prefix, row, apiKeys)] as const);
      return { epoch, found: new Map(stored) };
    });
  }

  /** What is known without asking the database; `undefined`: ask `find`. */
  now(key: string): Proof | Refusal | undefined {
    const usual = this.#lookups.now(key.slice(0, prefixChars));
    if (usual?.value?.openedBefore(key)) return this.#judge(usual, usual.value);
    const stored = this.#lookups.now(keyPrefix(key) ?? bootstrapPrefix);
    return stored && this.#compare(key, stored);
  }

  /** Whether there was no such key a moment ago: it is a new one, or none. Not what an operator may have chosen. */
  isStranger(key: string): boolean {
    const prefix = keyPrefix(key);
    return prefix !== undefined && this.#isUpToDate() && !this.#prefixes!.all.has(prefix);
  }

  /**
   * @param came when it was shown, in monotonic time
   * @throws when the database does not answer and the key was not seen before
   */
  async find(key: string, came: number): Promise<Proof | Refusal> {
    const prefix = keyPrefix(key);
    // Anything that is not one of our keys can only be the one that an operator chose: one row, so nonsense costs no look-up.
    if (prefix !== undefined && !(await this.#isKnown(prefix, came))) return new Refusal('unknown_key');
    return this.#compare(key, await this.#lookups.get(prefix ?? bootstrapPrefix));
  }

  doubt(): void {
    this.#lookups.doubt();
  }

  readAhead(): Promise<void> {
    return this.#lookups.readAhead();
  }

  sweep(): Promise<void> {
    return this.#lookups.sweep();
  }

  #compare(key: string, stored: Remembered<StoredKey>): Proof | Refusal {
    const { value } = stored;
    if (!value) return new Refusal('unknown_key');
    if (!value.openedBefore(key) && !value.opens(key)) {
      return value.prefix === bootstrapPrefix ? new Refusal('malformed') : new Refusal('wrong_key', value.prefix);
    }
    return this.#judge(stored, value);
  }

  #judge(stored: Remembered<StoredKey>, value: StoredKey): Proof | Refusal {
    return value.judge(() => this.#lookups.holds(stored));
  }

  /**
   * A flood of keys that there are not must not reach the database. So all prefixes are kept here, and one that is not
   * among them waits until it is certain that it is not a new one either: a question for all who wait.
   */
  async #isKnown(prefix: string, came: number): Promise<boolean> {
    if (this.#prefixes?.all.has(prefix)) return true;
    if (this.#prefixes) await this.epochs.news(came);
    const begunBefore = this.#loading;
    if (!this.#isUpToDate()) await this.#load();
    // What was being read already may have been read before there was this one.
    if (begunBefore && this.epochs.epoch && !this.#isUpToDate()) await this.#load();
    return this.#prefixes!.all.has(prefix);
  }

  #isUpToDate(): boolean {
    return this.#prefixes !== undefined && this.#prefixes.mark === this.epochs.epoch?.prefixes;
  }

  #load(): Promise<void> {
    const load = async (): Promise<void> => {
      const { epoch, prefixes } = await this.access.prefixes();
      this.#prefixes = { mark: epoch.prefixes, all: new Set(prefixes) };
    };
    this.#loading ??= load().finally(() => (this.#loading = undefined));
    return this.#loading;
  }
}

function principalOf({ keyId, service, role, name }: KeyAccess): Principal | undefined {
  if (service !== null) return { kind: 'service', keyId, name: service };
  return role ? { kind: 'admin', keyId, name: name ?? 'unnamed', role } : undefined;
}
