import { createHmac, type KeyObject, verify } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { SignedJwt } from './facts';
import type { Evaluation } from './issuer-text';
import type { SampleClient } from './sample-client';

/** What the one whom a JWT is for would find wrong with it; nothing, if it is as the facts say. */
export function jwtComplaints(
  jwt: unknown,
  facts: SignedJwt,
  of: Evaluation,
  client: SampleClient,
  now: number,
): string[] {
  const [head, body, signature, ...rest] = String(jwt).split('.');
  if (signature === undefined || rest.length > 0) return ['is not a JWT'];
  const header = decoded(head!);
  const { iat, exp, ...claims } = decoded(body!);
  const complaints: string[] = [];
  const { typ = 'JWT', ...others } = header;
  const { typ: expectedTyp = typ, ...expected } = evaluated(facts.header, of);
  if (!isDeepStrictEqual([typ, others], [expectedTyp, expected])) complaints.push(`header ${JSON.stringify(header)}`);
  const wanted = evaluated(facts.claims, of);
  for (const [name, text] of Object.entries(facts.claims)) {
    if (text === '${random}' && typeof claims[name] === 'string' && claims[name].length >= 16)
      wanted[name] = claims[name];
  }
  if (!isDeepStrictEqual(claims, wanted))
    complaints.push(`claims ${JSON.stringify(claims)}, not ${JSON.stringify(wanted)}`);
  if (typeof iat !== 'number' || Math.abs(iat - now / 1000) > 5) complaints.push(`iat ${iat}`);
  if (Number(exp) - Number(iat) !== facts.lifetime_s) complaints.push(`exp ${exp} of iat ${iat}`);
  const key = facts.alg === 'HS256' ? hmacKey(facts, of) : client.publicKey;
  if (!isSigned(facts.alg, `${head}.${body}`, Buffer.from(signature, 'base64url'), key)) complaints.push('signature');
  return complaints;
}

function decoded(part: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>;
}

function evaluated(of: SignedJwt['header'] | SignedJwt['claims'], evaluation: Evaluation): Record<string, unknown> {
  const value = (one: string | string[]): unknown =>
    Array.isArray(one) ? one.map((text) => evaluation.text(text)) : evaluation.text(one);
  return Object.fromEntries(
    Object.entries(of).map(([name, one]) => [name, one === '${random}' ? undefined : value(one)]),
  );
}

/** The one key in the catalogue that is part of another value is in hex. */
function hmacKey({ signing_key = '' }: SignedJwt, of: Evaluation): Buffer {
  return Buffer.from(of.text(signing_key), signing_key.includes('privateKey.secret') ? 'hex' : 'utf8');
}

function isSigned(alg: SignedJwt['alg'], input: string, signature: Buffer, key: KeyObject | Buffer): boolean {
  if (alg === 'HS256') return createHmac('sha256', key).update(input).digest().equals(signature);
  const dsaEncoding = alg === 'ES256' ? ('ieee-p1363' as const) : ('der' as const);
  return verify('sha256', Buffer.from(input), { key: key as KeyObject, dsaEncoding }, signature);
}
