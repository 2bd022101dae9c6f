import { CompactSign, generateKeyPair, type CryptoKey } from 'jose';
import type { Client } from './clients';

const header = { kid: 'k1', alg: 'RS256' };
const signatureBytes = 256;
const encoder = new TextEncoder();

// Making a 2048-bit key costs some 100 ms: once for each process, and not at all if every token is cheap.
let signingKey: Promise<CryptoKey> | undefined;

export interface Minting {
  client: Client;
  /** ms since 1970. */
  issuedAt: number;
  ttlSeconds: number;
  /** Shifts iat and exp, as an issuer with a wrong clock would. */
  skewSeconds: number;
  /** Puts an unescaped control character into the payload, which Capillary's published sample holds. */
  rawControlCharacter: boolean;
  /** Random bytes in place of a signature: the same length without the cost. */
  cheap: boolean;
}

/** A new token with the claims of Capillary's published sample. */
export async function mint(minting: Minting): Promise<string> {
  const payload = encoder.encode(payloadText(minting));
  if (minting.cheap) {
    const parts = [encoder.encode(JSON.stringify(header)), payload, randomBytes(signatureBytes)];
    return parts.map((part) => Buffer.from(part).toString('base64url')).join('.');
  }
  signingKey ??= generateKeyPair('RS256', { modulusLength: 2048 }).then((pair) => pair.privateKey);
  return new CompactSign(payload).setProtectedHeader(header).sign(await signingKey);
}

function payloadText({ client, issuedAt, ttlSeconds, skewSeconds, rawControlCharacter }: Minting): string {
  const iat = Math.floor(issuedAt / 1000) + skewSeconds;
  const text = JSON.stringify({
    iss: 'Capillary',
    exp: iat + Math.floor(ttlSeconds),
    jti: Buffer.from(randomBytes(16)).toString('base64url'),
    iat,
    sub: `name_${client.key}`,
    client_id: client.id,
    org_id: client.orgId,
    token_use: 'token_access',
  });
  return rawControlCharacter ? text.replace('"jti":"', '"jti":"\u0000') : text;
}

function randomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}
