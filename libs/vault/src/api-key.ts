import { createHmac, randomInt, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { KeyRing } from './key-ring';
import { Secret } from './secret';

/** `tbk_` opens the services' doors, `tba_` the admins'. */
export type KeyKind = 'tbk' | 'tba';

/** How an API key is stored: nothing here lets anyone in. */
export interface KeyDigest {
  digest: Buffer;
  pepperKid: string;
}

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const prefixChars = 8;
const secretChars = 27; // 27 * log2(62) = 160 bits, besides the prefix
const checksumChars = 6;
const shape = new RegExp(`^(tbk|tba)_[0-9A-Za-z]{${prefixChars + secretChars + checksumChars}}$`);

/** Makes, recognises and digests API keys: `tbk_` + 8 characters of prefix + 27 of secret + 6 of checksum. */
export class ApiKeys {
  constructor(private readonly ring: KeyRing) {}

  /** A new key; `prefix` is stored and shown, the key itself is shown once. */
  mint(kind: KeyKind): { key: Secret; prefix: string } & KeyDigest {
    let body = '';
    for (let i = 0; i < prefixChars + secretChars; i++) body += alphabet[randomInt(alphabet.length)];
    const key = `${kind}_${body}${checksum(`${kind}_${body}`)}`;
    return { key: new Secret(key), prefix: keyPrefix(key)!, ...this.digest(key) };
  }

  /** Keyed with a pepper that is not in the database, so that a digest written by SQL opens nothing. */
  digest(key: string): KeyDigest {
    return { digest: hmac(this.ring.primary.pepper, key), pepperKid: this.ring.primary.kid };
  }

  /** Whether a key digested with that pepper can still be recognised. */
  knowsPepper(kid: string): boolean {
    return this.ring.find(kid) !== undefined;
  }

  matches(key: string, stored: KeyDigest): boolean {
    const ringKey = this.ring.find(stored.pepperKid);
    if (!ringKey) return false;
    const digest = hmac(ringKey.pepper, key);
    return digest.length === stored.digest.length && timingSafeEqual(digest, stored.digest);
  }
}

/** The prefix of a well-formed key, else undefined: a mistyped key costs no look-up. */
export function keyPrefix(key: string): string | undefined {
  if (!shape.test(key)) return undefined;
  const body = key.slice(0, -checksumChars);
  return checksum(body) === key.slice(-checksumChars) ? key.slice(0, 4 + prefixChars) : undefined;
}

type Pepper = Parameters<typeof createHmac>[1];

function hmac(pepper: Pepper, key: string): Buffer {
  return createHmac('sha256', pepper).update(key).digest();
}

/** CRC-32 in base 62, as GitHub's tokens carry it, so that secret scanners can tell a key from chance. */
function checksum(text: string): string {
  let rest = crc32(text);
  let out = '';
  for (let i = 0; i < checksumChars; i++) {
    out = alphabet[rest % alphabet.length] + out;
    rest = Math.floor(rest / alphabet.length);
  }
  return out;
}
