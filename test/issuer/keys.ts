import { createPublicKey, generateKeyPairSync, type JsonWebKey, type KeyObject, randomUUID } from 'node:crypto';

/** A key pair for assertions, with the names that both sides have for it. */
export interface SigningKey {
  readonly privateKey: KeyObject;
  readonly kid: string;
}

export type KeyKind = 'RSA' | 'P-256' | 'P-384' | 'P-521' | 'Ed25519';

export function signingKey(kind: KeyKind): SigningKey {
  const kid = `${kind}-${randomUUID()}`;
  if (kind === 'RSA') return { kid, ...generateKeyPairSync('rsa', { modulusLength: 2048 }) };
  if (kind === 'Ed25519') return { kid, ...generateKeyPairSync('ed25519') };
  return { kid, ...generateKeyPairSync('ec', { namedCurve: kind }) };
}

/** What the provider is given to know the client by. */
export function publicJwk({ privateKey, kid }: SigningKey): JsonWebKey {
  return { ...createPublicKey(privateKey).export({ format: 'jwk' }), kid, use: 'sig' };
}

export const passphrase = 'canary pass:phrase %ü';

/** The ways in which keys are handed to people. */
export type KeyForm =
  'PKCS #8' | 'PKCS #1' | 'SEC 1' | 'encrypted PKCS #8' | 'encrypted PKCS #1' | 'encrypted SEC 1' | 'JWK';

/** The inputs `private_key` and `passphrase` of a preset. */
export function keyInputs({ privateKey, kid }: SigningKey, form: KeyForm = 'PKCS #8'): Record<string, string> {
  if (form === 'JWK') return { private_key: JSON.stringify({ ...privateKey.export({ format: 'jwk' }), kid }) };
  const type = form.endsWith('PKCS #8') ? 'pkcs8' : form.endsWith('PKCS #1') ? 'pkcs1' : 'sec1';
  if (!form.startsWith('encrypted')) {
    return { private_key: privateKey.export({ format: 'pem', type } as { format: 'pem'; type: 'pkcs8' }) as string };
  }
  const options = { format: 'pem', type, cipher: 'aes-256-cbc', passphrase } as { format: 'pem'; type: 'pkcs8' };
  return { private_key: privateKey.export(options) as string, passphrase };
}
