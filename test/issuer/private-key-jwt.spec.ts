import { X509Certificate } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { selfSigned } from './authority';
import { type KeyForm, keyInputs, type KeyKind, publicJwk, signingKey, type SigningKey } from './keys';
import { Scene } from './scene';

const preset = 'oauth2-private-key-jwt';
const scene = Scene.forThisFile();
const keys = Object.fromEntries(
  (['RSA', 'P-256', 'P-384', 'P-521', 'Ed25519'] as const).map((kind) => [kind, signingKey(kind)]),
) as Record<KeyKind, SigningKey>;

function clientWith(key: SigningKey, more: Record<string, unknown> = {}): Promise<string> {
  const jwks = { keys: [publicJwk(key)] };
  return scene.client({ token_endpoint_auth_method: 'private_key_jwt', jwks, ...more });
}

/** Header and claims of the one assertion that the issuer got, and took. */
async function assertion() {
  const [asked] = await scene.issuer.asked();
  expect(asked).toMatchObject({ status: 200, form: { grant_type: 'client_credentials' } });
  const jwt = asked!.form['client_assertion']!;
  return { header: decodeProtectedHeader(jwt), claims: decodeJwt(jwt) };
}

describe('private_key_jwt: oauth2-private-key-jwt', () => {
  it.each<[string, KeyKind]>([
    ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'].map((alg): [string, KeyKind] => [alg, 'RSA']),
    ['ES256', 'P-256'],
    ['ES384', 'P-384'],
    ['ES512', 'P-521'],
    ['EdDSA', 'Ed25519'],
  ])('%s is signed as a provider that insists on it verifies', async (algorithm, kind) => {
    const client_id = await clientWith(keys[kind], { token_endpoint_auth_signing_alg: algorithm });
    const token = await scene.token(preset, { client_id, algorithm, ...keyInputs(keys[kind]) });
    expect(token.lifeSeconds).toBe(600);
    expect((await assertion()).header).toEqual({ alg: algorithm, typ: 'JWT' });
  });

  it.each<[KeyForm, KeyKind, string]>([
    ['PKCS #8', 'RSA', 'RS256'],
    ['PKCS #1', 'RSA', 'RS256'],
    ['encrypted PKCS #8', 'RSA', 'RS256'],
    ['encrypted PKCS #1', 'RSA', 'RS256'],
    ['JWK', 'RSA', 'RS256'],
    ['PKCS #8', 'P-256', 'ES256'],
    ['SEC 1', 'P-256', 'ES256'],
    ['encrypted PKCS #8', 'P-256', 'ES256'],
    ['encrypted SEC 1', 'P-256', 'ES256'],
    ['JWK', 'P-256', 'ES256'],
    ['SEC 1', 'P-384', 'ES384'],
    ['SEC 1', 'P-521', 'ES512'],
    ['PKCS #8', 'Ed25519', 'EdDSA'],
    ['encrypted PKCS #8', 'Ed25519', 'EdDSA'],
    ['JWK', 'Ed25519', 'EdDSA'],
  ])('a key in %s (%s) is read, and signs with what it is for: %s', async (form, kind, alg) => {
    const client_id = await clientWith(keys[kind]);
    await scene.token(preset, { client_id, ...keyInputs(keys[kind], form) });
    expect((await assertion()).header.alg).toBe(alg);
  });

  it.each([
    ['became \\n, as in environment variables and JSON,', '\\n'],
    ['are those of Windows', '\r\n'],
    ['were lost in a form field', ' '],
  ])('a PEM whose line breaks %s is read', async (_, lineBreak) => {
    const client_id = await clientWith(keys.RSA);
    const { private_key } = keyInputs(keys.RSA);
    await scene.token(preset, { client_id, private_key: private_key!.trim().replaceAll('\n', lineBreak) });
    expect((await assertion()).claims.iss).toBe(client_id);
  });

  it('a JWK says itself which key it is and what it is for', async () => {
    const client_id = await clientWith(keys.RSA);
    const jwk = JSON.parse(keyInputs(keys.RSA, 'JWK')['private_key']!) as object;
    await scene.token(preset, { client_id, private_key: JSON.stringify({ ...jwk, alg: 'PS384' }) });
    expect((await assertion()).header).toEqual({ alg: 'PS384', typ: 'JWT', kid: keys.RSA.kid });
  });

  it('says which key it is, by id and by the thumbprint of its certificate', async () => {
    const client_id = await clientWith(keys['P-256']);
    const { certificate } = await selfSigned({ subject: 'CN=billing' });
    const inputs = { client_id, certificate, key_id: keys['P-256'].kid, ...keyInputs(keys['P-256']) };
    await scene.token(preset, inputs);
    const thumbprint = Buffer.from(new X509Certificate(certificate).fingerprint256.replaceAll(':', ''), 'hex');
    expect((await assertion()).header).toMatchObject({
      kid: keys['P-256'].kid,
      'x5t#S256': thumbprint.toString('base64url'),
    });
  });

  it.each([
    ['the token URL, where that is all we know', () => ({}), () => scene.issuer.tokenUrl],
    [
      'the issuer identifier, where it is known (RFC 10070)',
      () => ({ issuer: scene.issuer.identifier }),
      () => scene.issuer.identifier,
    ],
    ['whom the client says', () => ({ assertion_audience: scene.issuer.identifier }), () => scene.issuer.identifier],
  ])('is for %s', async (_, inputs, audience) => {
    const client_id = await clientWith(keys['P-256']);
    await scene.token(preset, { client_id, ...keyInputs(keys['P-256']), ...inputs() });
    const { claims } = await assertion();
    expect(claims).toMatchObject({ iss: client_id, sub: client_id, aud: audience() });
    expect(claims.exp! - claims.iat!).toBe(60);
  });

  it('every request has an assertion of its own, so that none is refused as replayed', async () => {
    const client_id = await clientWith(keys['P-256']);
    const inputs = { client_id, ...keyInputs(keys['P-256']) };
    await Promise.all([1, 2, 3].map(() => scene.token(preset, inputs)));
    const asked = await scene.issuer.asked();
    const ids = asked.map(({ form }) => decodeJwt(form['client_assertion']!).jti);
    expect(new Set(ids).size).toBe(3);
  });
});
