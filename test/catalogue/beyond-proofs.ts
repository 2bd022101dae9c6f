import { createHash, createHmac, createSecretKey, type KeyObject, verify, X509Certificate } from 'node:crypto';
import { type JWTPayload, type ProtectedHeaderParameters, jwtVerify } from 'jose';
import type { IssuedToken } from '#providers';
import type { ReceivedRequest } from '../harness/local-provider';
import { certificate, ec, rsa } from './beyond-keys';
import { now } from './conversation';

type Proof = (received: readonly ReceivedRequest[], token: IssuedToken) => unknown;

/** What an issuer checks that cannot be written down beforehand: signatures. */
export const proofs: Readonly<Record<string, Proof>> = {
  'amadeus-soap': ([request]) => {
    const [, nonce, digest] = /Base64Binary">(.*?)<.*#PasswordDigest">(.*?)</s.exec(request!.body)!;
    const sha1 = (...parts: (string | Buffer)[]) =>
      createHash('sha1')
        .update(Buffer.concat(parts.map((part) => Buffer.from(part))))
        .digest();
    const expected = sha1(Buffer.from(nonce!, 'base64'), '2027-03-04T05:06:07Z', sha1('s3cret&'));
    expect(digest).toBe(expected.toString('base64'));
  },
  'apple-maps': async ([request]) => {
    const { header, claims } = await opened(bearer(request!), 'ES256', ec.publicKey);
    expect([header.kid, claims]).toEqual(['KEY1', { iss: 'TEAM1', ...life(1200) }]);
  },
  'aws-eks': (_, { accessToken }) => {
    const url = new URL(Buffer.from(accessToken.reveal().replace('k8s-aws-v1.', ''), 'base64url').toString());
    const [query, signature] = url.search.slice(1).split('&X-Amz-Signature=');
    const scope = '20270304/eu-west-1/sts/aws4_request';
    expect([url.host, url.searchParams.get('X-Amz-Credential')]).toEqual([
      'sts.eu-west-1.amazonaws.com',
      `AKIDEXAMPLE/${scope}`,
    ]);
    const headers = `host:${url.host}\nx-k8s-aws-id:acme\n`;
    const canonical = ['GET', '/', query, headers, 'host;x-k8s-aws-id', sha256('')].join('\n');
    const toSign = ['AWS4-HMAC-SHA256', '20270304T050607Z', scope, sha256(canonical)].join('\n');
    const seed = Buffer.from('AWS4wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY');
    const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    expect(hmac(scope.split('/').reduce(hmac, seed), toSign).toString('hex')).toBe(signature);
  },
  'azure-iot-hub-sas': (_, { accessToken }) => {
    const key = Buffer.from('/////wAAAP///wAAAAD///8AAAD///8=', 'base64');
    const signature = createHmac('sha256', key).update('acme.azure-devices.net\n1804140367').digest('base64');
    expect(new URLSearchParams(accessToken.reveal()).get('sig')).toBe(signature);
  },
  'box-jwt': async ([request]) => {
    const { header, claims } = await opened(field(request!, 'assertion'), 'RS512', rsa.publicKey);
    expect(header.kid).toBe('kid1');
    const aud = 'https://api.box.com/oauth2/token';
    const jti = expect.stringMatching(/^.{16,}$/);
    expect(claims).toEqual({ iss: 'abc', sub: '1234', box_sub_type: 'enterprise', aud, jti, ...life(45) });
  },
  emarsys: (_, { headers }) => {
    const [, digest, nonce, created] = /PasswordDigest="(.*)", Nonce="(.*)", Created="(.*)"$/.exec(headers['X-WSSE']!)!;
    const sha1 = createHash('sha1').update(`${nonce}${created}s3cret`).digest('hex');
    expect(Buffer.from(digest!, 'base64').toString()).toBe(sha1);
  },
  'entra-certificate': async ([request]) => {
    const x509 = new X509Certificate(certificate);
    const { header } = await opened(field(request!, 'client_assertion'), 'ES256', x509.publicKey);
    const thumbprint = (algorithm: string) => createHash(algorithm).update(x509.raw).digest('base64url');
    expect(header).toMatchObject({ 'x5t#S256': thumbprint('sha256'), x5t: thumbprint('sha1') });
  },
  'epic-fhir': async ([request]) => {
    const { header, claims } = await opened(field(request!, 'client_assertion'), 'RS384', rsa.publicKey);
    expect(header).toEqual({ alg: 'RS384', typ: 'JWT' });
    expect(claims).toMatchObject({ iss: 'abc', aud: 'https://fhir.acme.example/oauth2/token', nbf: now / 1000 });
  },
  'github-app': async ([request]) => {
    const { claims } = await opened(bearer(request!), 'RS256', rsa.publicKey);
    expect(claims).toMatchObject({ iss: 'Iv1.abc', iat: now / 1000 - 60 });
    // GitHub refuses an end that is more than ten minutes away.
    expect(claims.exp! - now / 1000).toBeLessThanOrEqual(600);
  },
  hikvision: ([, request]) => {
    const [, cnonce, response] = /cnonce="(.*?)", response="(.*?)"/.exec(request!.headers['authorization'] as string)!;
    const md5 = (text: string) => createHash('md5').update(text).digest('hex');
    const [who, what] = [md5('admin:DS-2CD:s3cret'), md5('GET:/ISAPI/Security/token?format=json')];
    expect(response).toBe(md5(`${who}:4e54:abc:00000001:${cnonce}:auth:${what}`));
  },
  'snap-b2b': ([request]) => {
    const signature = Buffer.from(request!.headers['x-signature'] as string, 'base64');
    const text = Buffer.from('35d1a112|2027-03-04T12:06:07+07:00');
    expect(verify('sha256', text, rsa.publicKey, signature)).toBe(true);
  },
  tuya: ([request]) => {
    const { client_id, t, nonce, sign } = request!.headers;
    const text = `${client_id as string}${t as string}${nonce as string}GET\n${sha256('')}\n\n/v1.0/token?grant_type=1`;
    const hmac = createHmac('sha256', '4OHBOnWOqaEC1mWXOpVL3yV50s0qGSRC').update(text).digest('hex');
    expect(sign).toBe(hmac.toUpperCase());
  },
  'twilio-access-token': async (_, { accessToken }) => {
    const key = createSecretKey(Buffer.from('s3cret'));
    const { header, claims } = await opened(accessToken.reveal(), 'HS256', key);
    expect(header).toEqual({ alg: 'HS256', typ: 'JWT', cty: 'twilio-fpa;v=1' });
    const grants = { identity: 'alice', chat: {} };
    const nbf = now / 1000;
    expect(claims).toEqual({ jti: `SK1-${nbf}`, iss: 'SK1', sub: 'AC1', nbf, grants, ...life(3600) });
  },
};

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function life(seconds: number): { iat: number; exp: number } {
  return { iat: now / 1000, exp: now / 1000 + seconds };
}

function bearer({ headers }: ReceivedRequest): string {
  return (headers['authorization'] as string).replace('Bearer ', '');
}

function field({ body }: ReceivedRequest, name: string): string {
  return new URLSearchParams(body).get(name)!;
}

async function opened(
  jwt: string,
  alg: string,
  key: KeyObject,
): Promise<{ header: ProtectedHeaderParameters; claims: JWTPayload }> {
  const verified = await jwtVerify(jwt, key, { algorithms: [alg], currentDate: new Date(now) });
  return { header: verified.protectedHeader, claims: verified.payload };
}
