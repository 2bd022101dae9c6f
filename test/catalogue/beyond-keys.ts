import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const passphrase = 'pass "phrase"';
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const cluster = readFileSync(join(__dirname, 'beyond/cluster.pem'), 'utf8');
/** Of cluster.acme.example, signed by itself: for tests, and so is its key. */
export const certificate = cluster.slice(cluster.indexOf('-----BEGIN CERTIFICATE'));
export const certifiedKey = cluster.slice(0, cluster.indexOf('-----BEGIN CERTIFICATE'));

const encryption = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
const named: Record<string, string> = {
  passphrase,
  rsa_pkcs1_pem: rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string,
  rsa_encrypted_pem: rsa.privateKey.export(encryption) as string,
  rsa_jwk: JSON.stringify(rsa.privateKey.export({ format: 'jwk' })),
  // As it comes out of a .env file.
  ec_pem_one_line: (ec.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string).trim().replaceAll('\n', '\\n'),
  certificate,
  certified_key: certifiedKey,
};

/** A value as given, with `$rsa_jwk` and its like put in. */
export function withKeys<T>(value: T): T {
  if (typeof value === 'string') return (value.startsWith('$') ? named[value.slice(1)] : value) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withKeys(one)])) as T;
}
