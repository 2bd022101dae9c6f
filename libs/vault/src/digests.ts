import { createHash, createHmac, randomBytes } from 'node:crypto';

/** Those that token endpoints ask for; the weak ones are there because some still do. */
export type DigestAlgorithm = 'md5' | 'sha1' | 'sha256' | 'sha512';

export function digest(algorithm: DigestAlgorithm, bytes: Uint8Array): Buffer {
  return createHash(algorithm).update(bytes).digest();
}

/** SHA-256 of the text's UTF-8, in hex. */
export function digestOf(text: string): string {
  return digest('sha256', Buffer.from(text)).toString('hex');
}

/** RFC 2104. */
export function hmac(algorithm: DigestAlgorithm, key: Uint8Array, bytes: Uint8Array): Buffer {
  return createHmac(algorithm, key).update(bytes).digest();
}

export { randomBytes };
