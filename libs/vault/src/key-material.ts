import {
  constants,
  createPrivateKey,
  createPublicKey,
  type JsonWebKey,
  type KeyObject,
  sign as signBytes,
  X509Certificate,
} from 'node:crypto';
import { digest } from './digests';
import type { Secret } from './secret';

/** A key or certificate that cannot be read. The message says what is wrong with it, and holds none of it. */
export class UnusableKey extends Error {
  override readonly name = 'UnusableKey';
}

/** PEM as people paste it: line breaks written as `\n`, or lost. */
export function restorePem(text: string): string {
  const unescaped = text.replace(/\\r?\\n|\\n|\r\n?/g, '\n').trim();
  if (/^\s*\{/.test(unescaped)) return unescaped;
  return unescaped.replace(
    /(-----BEGIN [A-Z0-9 ]{1,60}-----)([^-]{1,20000})(-----END [A-Z0-9 ]{1,60}-----)/g,
    (whole, begin: string, body: string, end: string) => {
      // Encrypted PKCS #1 has header lines, which cannot be told from base64 once the line breaks are lost.
      if (body.includes(':')) return whole;
      return `${begin}\n${(body.replace(/\s+/g, '').match(/.{1,64}/g) ?? []).join('\n')}\n${end}`;
    },
  );
}

/**
 * Reads a private key: PEM (PKCS #8, PKCS #1, SEC 1; encrypted ones with their passphrase) or a JWK.
 * @throws UnusableKey
 */
export function readPrivateKey(key: Secret, passphrase?: Secret): { key: KeyObject; kid?: string; alg?: string } {
  const text = restorePem(key.reveal());
  if (text.startsWith('{')) return readJwk(text);
  if (/-----BEGIN (CERTIFICATE|PUBLIC KEY|RSA PUBLIC KEY)-----/.test(text) && !/PRIVATE KEY-----/.test(text)) {
    throw new UnusableKey('is a certificate or a public key; the private key is wanted');
  }
  if (/-----BEGIN OPENSSH PRIVATE KEY-----/.test(text)) {
    throw new UnusableKey('is in the OpenSSH format; convert it with `ssh-keygen -p -m PKCS8 -f key`');
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw new UnusableKey('is neither PEM ("-----BEGIN PRIVATE KEY-----…") nor a JWK ({"kty": …})');
  }
  const encrypted = /BEGIN ENCRYPTED PRIVATE KEY|Proc-Type: 4,ENCRYPTED/.test(text);
  if (encrypted && !passphrase) throw new UnusableKey('is encrypted, and its passphrase is missing');
  try {
    return {
      key: createPrivateKey({ key: text, format: 'pem', ...(passphrase && { passphrase: passphrase.reveal() }) }),
    };
  } catch {
    throw new UnusableKey(encrypted ? 'does not open with this passphrase' : 'is PEM that cannot be read');
  }
}

function readJwk(text: string): { key: KeyObject; kid?: string; alg?: string } {
  try {
    const jwk = JSON.parse(text) as JsonWebKey & { kid?: unknown; alg?: unknown };
    if (!jwk.d) throw new UnusableKey('is a JWK without its private part ("d")');
    return {
      key: createPrivateKey({ key: jwk, format: 'jwk' }),
      ...(typeof jwk.kid === 'string' && { kid: jwk.kid }),
      ...(typeof jwk.alg === 'string' && { alg: jwk.alg }),
    };
  } catch (error) {
    if (error instanceof UnusableKey) throw error;
    throw new UnusableKey('is JSON, and not a JWK that can be read');
  }
}

/** The JWS algorithm that a key is for (RFC 7518 3.1, RFC 8037); undefined where no key of that kind signs JWTs. */
export function signingAlgorithm(key: KeyObject): string | undefined {
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  const curves: Record<string, string> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  if (key.asymmetricKeyType === 'rsa-pss') return 'PS256';
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  return key.asymmetricKeyType === 'ec' ? curves[curve] : undefined;
}

export type SignatureAlgorithm = 'RS256' | 'RS512' | 'PS256' | 'Ed25519';

/** Signs bytes as RFC 7518 3.3 and 3.5 and RFC 8037 say. @throws UnusableKey */
export function sign(algorithm: SignatureAlgorithm, bytes: Uint8Array, key: Secret, passphrase?: Secret): Buffer {
  const privateKey = readPrivateKey(key, passphrase).key;
  const wanted = algorithm === 'Ed25519' ? 'ed25519' : 'rsa';
  if (privateKey.asymmetricKeyType !== wanted) throw new UnusableKey(`is no ${wanted} key`);
  if (algorithm === 'Ed25519') return signBytes(null, bytes, privateKey);
  const padding = algorithm === 'PS256' ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const options = algorithm === 'PS256' ? { padding, saltLength: 32 } : { padding };
  return signBytes(algorithm === 'RS512' ? 'sha512' : 'sha256', bytes, { key: privateKey, ...options });
}

/** SHA-256 of the public half (SPKI DER) of a private key: Snowflake's and others' fingerprint. @throws UnusableKey */
export function publicKeySha256(key: Secret, passphrase?: Secret): Buffer {
  const spki = createPublicKey(readPrivateKey(key, passphrase).key).export({ type: 'spki', format: 'der' });
  return digest('sha256', spki);
}

/** Reads a PEM certificate; of a chain, the first. @throws UnusableKey */
export function readCertificate(text: string): X509Certificate {
  const pem = restorePem(text);
  if (!/-----BEGIN CERTIFICATE-----/.test(pem)) {
    throw new UnusableKey('is not a PEM certificate ("-----BEGIN CERTIFICATE-----…")');
  }
  try {
    return new X509Certificate(pem);
  } catch {
    throw new UnusableKey('is a PEM certificate that cannot be read');
  }
}

/** Thumbprint (RFC 7515 4.1.7, 4.1.8) of a PEM certificate. @throws UnusableKey */
export function certificateThumbprint(text: string, algorithm: 'sha1' | 'sha256'): Buffer {
  return digest(algorithm, readCertificate(text).raw);
}
