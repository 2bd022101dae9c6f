import { createSecretKey, hkdfSync, type KeyObject, randomBytes } from 'node:crypto';

/** One master key and the keys derived from it, each for one purpose only (RFC 5869). */
export interface RingKey {
  kid: string;
  /** Wraps the content keys of sealed inputs (A256KW). */
  wrapping: KeyObject;
  /** Encrypts tokens in Redis (AES-256-GCM). */
  token: KeyObject;
  /** The pepper of API key digests (HMAC-SHA-256). */
  pepper: KeyObject;
  /** Attests rows that are no secrets (HMAC-SHA-256). */
  attestation: KeyObject;
  /** Tells whether two tokens are the same one (HMAC-SHA-256). */
  fingerprint: KeyObject;
}

/** `MASTER_KEYS` cannot be used; every fault is listed, none quotes key material. */
export class InvalidKeyRing extends Error {
  readonly code = 'invalid_key_ring';

  constructor(readonly faults: string[]) {
    super(faults.join('; '));
    this.name = 'InvalidKeyRing';
  }
}

const kidPattern = /^[A-Za-z0-9._-]{1,32}$/;

/** The master keys in memory: the first seals, all of them open. */
export class KeyRing {
  readonly primary: RingKey;
  readonly #keys: Map<string, RingKey>;

  private constructor(keys: RingKey[]) {
    this.primary = keys[0]!;
    this.#keys = new Map(keys.map((key) => [key.kid, key]));
  }

  /**
   * @param text `kid:base64(32 bytes)[,older…]`, the form of `MASTER_KEYS`
   * @throws InvalidKeyRing with every fault
   */
  static parse(text: string): KeyRing {
    const faults: string[] = [];
    const keys: RingKey[] = [];
    const seen = new Map<string, string>();
    for (const [index, entry] of text.trim().split(',').entries()) {
      const where = `key ${index + 1}`;
      const separator = entry.indexOf(':');
      const kid = entry.slice(0, Math.max(separator, 0)).trim();
      const encoded = entry.slice(separator + 1).trim();
      if (separator < 0 || !kidPattern.test(kid)) {
        faults.push(`${where} is not of the form kid:base64 (a kid is 1 to 32 of A-Z a-z 0-9 . _ -)`);
        continue;
      }
      const bytes = Buffer.from(encoded, 'base64');
      if (!/^[A-Za-z0-9+/_-]+={0,2}$/.test(encoded)) faults.push(`${where} ("${kid}") is not base64`);
      else if (bytes.length !== 32) faults.push(`${where} ("${kid}") has ${bytes.length} bytes instead of 32`);
      else if (bytes.every((byte) => byte === bytes[0])) faults.push(`${where} ("${kid}") is one byte repeated`);
      else if (seen.has(kid)) faults.push(`${where}: the kid "${kid}" is repeated`);
      else if ([...seen.values()].includes(bytes.toString('hex')))
        faults.push(`${where} ("${kid}") repeats another key`);
      else keys.push(derive(kid, bytes));
      seen.set(kid, bytes.toString('hex'));
    }
    if (faults.length > 0) throw new InvalidKeyRing(faults);
    return new KeyRing(keys);
  }

  /** All of them, the primary one first. */
  all(): RingKey[] {
    return [...this.#keys.values()];
  }

  /** The key of that id. It is looked up, never guessed: keys are not tried in turn. */
  find(kid: string): RingKey | undefined {
    return this.#keys.get(kid);
  }
}

function derive(kid: string, master: Buffer): RingKey {
  const subkey = (purpose: string): KeyObject =>
    createSecretKey(Buffer.from(hkdfSync('sha256', master, '', `token-broker/${purpose}/v1`, 32)));
  return {
    kid,
    // Not derived, so that any JOSE tool and MASTER_KEYS alone can recover the secrets in twenty years.
    wrapping: createSecretKey(master),
    token: subkey('token'),
    pepper: subkey('pepper'),
    attestation: subkey('attestation'),
    fingerprint: subkey('fingerprint'),
  };
}

/** A new master key in the form of `MASTER_KEYS`. */
export function newMasterKey(kid: string): string {
  return `${kid}:${randomBytes(32).toString('base64')}`;
}
