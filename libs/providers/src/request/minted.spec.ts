import { createHash, createHmac, generateKeyPairSync } from 'node:crypto';
import { jwtVerify } from 'jose';
import { stringify } from 'yaml';
import { readDefinition } from '../language/read-definition';
import { refusalOf } from '../testing/acme.fixture';
import { Conversation } from '../testing/conversation.fixture';

const talk = Conversation.forThisFile();

describe('a token minted here', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  it('is a JWT of the client, its life that of the JWT, and nobody is asked', async () => {
    const source = stringify({
      id: 'local',
      inputs: { issuer: {}, key: { secret: true, format: 'private_key' }, scopes: { optional: true } },
      assertions: {
        jwt: {
          key: '{{inputs.key}}',
          header: { kid: 'k1', typ: 'JWT' },
          claims: {
            iss: '{{inputs.issuer}}',
            aud: 'x',
            n: 1,
            scope: ['{{inputs.scopes}}'],
            iat: '{{ now | minus: 60 }}',
          },
          ttl_s: 900,
        },
      },
      token: { value: '{{assertions.jwt}}', expiry: [{ jwt_exp: true }] },
      present: { headers: { Authorization: 'Bearer {{token}}' } },
    });
    // As an admin pastes it into one line.
    const issued = await talk.requester.requestToken(readDefinition(source).definition, {
      issuer: 'me',
      key: pem.trim().replaceAll('\n', '\\n'),
    });
    const { payload, protectedHeader } = await jwtVerify(issued.accessToken.reveal(), publicKey);
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'k1', typ: 'JWT' });
    expect(payload).toMatchObject({ iss: 'me', aud: 'x', n: 1, scope: [] });
    expect(payload.exp! - payload.iat!).toBeGreaterThanOrEqual(959);
    expect(issued.lifeSeconds).toBeGreaterThan(897);
    expect(issued.lifeSeconds).toBeLessThanOrEqual(900);
    expect(talk.received).toHaveLength(0);
  });

  it('is a WSSE digest with what it was made from', async () => {
    const source = stringify({
      id: 'wsse',
      inputs: { user: {}, pass: { secret: true } },
      values: {
        nonce: '{{ random }}',
        created: '{{ now | date: "%Y-%m-%dT%H:%M:%SZ" }}',
        digest: '{{ values.nonce | append: values.created | append: inputs.pass | sha1 | hex | base64 }}',
      },
      token: { value: '{{values.digest}}', expiry: [{ fixed_s: 240 }] },
      present: {
        headers: {
          'X-WSSE':
            'UsernameToken Username="{{inputs.user}}", PasswordDigest="{{token}}", Nonce="{{values.nonce}}", Created="{{values.created}}"',
        },
      },
    });
    const { headers } = await talk.requester.requestToken(readDefinition(source).definition, { user: 'u', pass: 'p' });
    const [, digest, nonce, created] = /PasswordDigest="(.+?)", Nonce="(.+?)", Created="(.+?)"/.exec(
      headers['X-WSSE']!,
    )!;
    const sha1 = createHash('sha1').update(`${nonce}${created}p`).digest('hex');
    expect(Buffer.from(digest!, 'base64').toString()).toBe(sha1);
  });

  it('is signed with a shared secret, however that is written', async () => {
    for (const [key_encoding, key] of [
      ['utf8', 'canary-shared-secret'],
      ['hex', '63616e617279'],
      ['base64', 'Y2FuYXJ5'],
    ] as const) {
      const source = stringify({
        id: 'hs',
        inputs: { key: { secret: true } },
        assertions: { jwt: { alg: 'HS256', key: '{{inputs.key}}', key_encoding, claims: {}, ttl_s: 60 } },
        token: { value: '{{assertions.jwt}}', expiry: [{ fixed_s: 60 }] },
        present: {},
      });
      const issued = await talk.requester.requestToken(readDefinition(source).definition, { key });
      const [head, body, signature] = issued.accessToken.reveal().split('.');
      const bytes = Buffer.from(key, key_encoding);
      expect(createHmac('sha256', bytes).update(`${head}.${body}`).digest('base64url')).toBe(signature);
    }
  });

  it.each([
    ['RS256', pem, /does not sign with RS256/],
    ['none', pem, /the algorithm must be/],
    [undefined, pem.replace(/\n[A-Za-z0-9+/=]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), /cannot be read/],
  ])('with the algorithm %s and a key that does not fit is refused, and tells no key', async (alg, key, message) => {
    const source = stringify({
      id: 'local',
      inputs: { alg: { optional: true }, key: { secret: true } },
      assertions: { jwt: { alg: '{{inputs.alg}}', key: '{{inputs.key}}', claims: {}, ttl_s: 60 } },
      token: { value: '{{assertions.jwt}}', expiry: [{ fixed_s: 60 }] },
      present: {},
    });
    const given = { key: key.trim().replaceAll('\n', '\\n'), ...(alg && { alg }) };
    const refused = await refusalOf(talk.requester.requestToken(readDefinition(source).definition, given));
    expect(refused.code).toBe('provider_misconfigured');
    expect(refused.failure.message).toMatch(message);
    expect(refused.failure.message).not.toContain('MIG');
  });
});
