import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto';
import { CompactEncrypt, compactDecrypt } from 'jose';
import type { KeyRing } from './key-ring';
import { Secret } from './secret';

/** What a sealed secret is bound to; all of it is compared after decryption. */
export interface SealContext {
  clientId: string;
  secretVersion: number;
  /** The provider, with the text of its definition. */
  provider: string;
  /** Host of every URL that the secret may be sent to. */
  tokenHost: string;
}

/** It will not open: changed, moved, bound to another row, or sealed with a key that is not here. Never says which. */
export class CannotOpen extends Error {
  readonly code = 'cannot_open';
  /** What to do about it. */
  readonly hint: string =
    'Its key may have left MASTER_KEYS, or its row was changed by hand: set the secret inputs again.';

  constructor(message = 'a sealed value could not be opened', options?: ErrorOptions) {
    super(message, options);
    this.name = 'CannotOpen';
  }
}

const alg = 'A256KW';
const enc = 'A256GCM';
const tokenFormat = 1;
const ivBytes = 12;
const tagBytes = 16;
/** Two different tokens of one client are taken for one another once in 2^48. */
const fingerprintBytes = 6;

/** Seals secrets for Postgres (JWE, RFC 7516) and tokens for Redis (AES-256-GCM: 30 times cheaper, rewritten each renewal). */
export class Vault {
  constructor(private readonly ring: KeyRing) {}

  /** @returns compact JWE that only this context opens */
  async seal(secret: Secret, context: SealContext): Promise<string> {
    const { kid, wrapping } = this.ring.primary;
    return new CompactEncrypt(new TextEncoder().encode(secret.reveal()))
      .setProtectedHeader({ alg, enc, kid, ctx: canonical(context) })
      .encrypt(wrapping);
  }

  /** @throws CannotOpen */
  async open(sealed: string, context: SealContext): Promise<Secret> {
    try {
      const { plaintext, protectedHeader } = await compactDecrypt(
        sealed,
        (header) => {
          const key = this.ring.find(String(header.kid));
          // jose refuses a `crit` it does not know; `zip` is refused here, before anything is inflated.
          if (!key || header['zip'] !== undefined) throw new CannotOpen();
          return key.wrapping;
        },
        { keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [enc] },
      );
      if (protectedHeader['ctx'] !== canonical(context)) throw new CannotOpen();
      return new Secret(new TextDecoder().decode(plaintext));
    } catch {
      throw new CannotOpen();
    }
  }

  /**
   * 8 characters by each master key, the primary one first: equal for equal values, and telling nothing of them. By each,
   * since what is compared may have been made before a new key was put in front.
   */
  fingerprints(value: Secret): string[] {
    return this.ring.all().map(({ fingerprint }) => {
      const digest = createHmac('sha256', fingerprint).update(value.reveal()).digest();
      return digest.toString('base64url', 0, fingerprintBytes);
    });
  }

  /**
   * @param binding client id and generation: the value opens nowhere else
   * @returns version, kid length, kid, iv, tag, ciphertext
   */
  sealToken(value: Secret, binding: string): Buffer {
    const { kid, token } = this.ring.primary;
    const head = Buffer.from([tokenFormat, kid.length, ...Buffer.from(kid, 'latin1')]);
    const iv = randomBytes(ivBytes);
    const cipher = createCipheriv('aes-256-gcm', token, iv, { authTagLength: tagBytes });
    cipher.setAAD(Buffer.concat([head, Buffer.from(binding)]));
    const body = Buffer.concat([cipher.update(value.reveal(), 'utf8'), cipher.final()]);
    return Buffer.concat([head, iv, cipher.getAuthTag(), body]);
  }

  /** @throws CannotOpen */
  openToken(sealed: Buffer, binding: string): Secret {
    try {
      const headBytes = 2 + sealed.readUInt8(1);
      const key = this.ring.find(sealed.toString('latin1', 2, headBytes));
      const bodyStart = headBytes + ivBytes + tagBytes;
      if (sealed[0] !== tokenFormat || !key || sealed.length < bodyStart) throw new CannotOpen();
      const iv = sealed.subarray(headBytes, headBytes + ivBytes);
      // Without authTagLength Node 20 accepts a tag cut to 4 bytes.
      const decipher = createDecipheriv('aes-256-gcm', key.token, iv, { authTagLength: tagBytes });
      decipher.setAuthTag(sealed.subarray(headBytes + ivBytes, bodyStart));
      decipher.setAAD(Buffer.concat([sealed.subarray(0, headBytes), Buffer.from(binding)]));
      return new Secret(
        Buffer.concat([decipher.update(sealed.subarray(bodyStart)), decipher.final()]).toString('utf8'),
      );
    } catch {
      throw new CannotOpen();
    }
  }
}

/** How every value starts that `seal` made under that master key: so a database can be asked for them. */
export function sealedPrefix(kid: string): string {
  const head = Buffer.from(JSON.stringify({ alg, enc, kid, ctx: '[' }).slice(0, -2));
  // Base64 of what stands in whole groups of three bytes does not hang on what follows: here, past the kid.
  return head.toString('base64url', 0, head.length - (head.length % 3));
}

function canonical({ clientId, secretVersion, provider, tokenHost }: SealContext): string {
  return JSON.stringify([clientId, secretVersion, provider, tokenHost]);
}
