import { decodeJwt, decodeProtectedHeader } from 'jose';
import { Scene, variant } from './scene';

const preset = 'oauth2-client-credentials';
const jwtApi = 'https://jwt.example/';
const opaqueApi = 'https://opaque.example/v2?tenant=7';
const scene = Scene.forThisFile({
  lifeSeconds: 45,
  resources: {
    [jwtApi]: { accessTokenFormat: 'jwt', accessTokenTTL: 120, scope: 'orders:read', jwt: { sign: { alg: 'RS256' } } },
    [opaqueApi]: { accessTokenFormat: 'opaque', accessTokenTTL: 90, scope: 'orders:read orders:write' },
  },
});

async function client() {
  const client_secret = 'canary-s3cret';
  return { client_id: await scene.client({ client_secret }), client_secret };
}

describe('a token', () => {
  it('for no resource in particular lives as long as expires_in says', async () => {
    const token = await scene.token(preset, await client());
    expect(token).toMatchObject({ lifeSeconds: 45, tokenType: 'Bearer' });
    expect(token).not.toHaveProperty('scope');
    expect(token.accessToken.reveal()).not.toContain('.');
  });

  it('that is opaque, for a resource (RFC 8707), lives as long as expires_in says', async () => {
    const inputs = { ...(await client()), resource: opaqueApi, scope: 'orders:read orders:write' };
    const token = await scene.token(preset, inputs);
    expect(token).toMatchObject({ lifeSeconds: 90, scope: 'orders:read orders:write' });
    const [asked] = await scene.issuer.asked();
    expect(asked!.form).toMatchObject({ resource: opaqueApi, scope: 'orders:read orders:write' });
  });

  it('that is a JWT, for a resource, lives until its exp, also where the answer tells no life', async () => {
    const untold = variant(preset, (definition) => (definition.token.expiry = [{ jwt_exp: true }]));
    for (const definition of [untold, preset]) {
      const token = await scene.token(definition, { ...(await client()), resource: jwtApi });
      const jwt = token.accessToken.reveal();
      expect(decodeProtectedHeader(jwt)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' });
      expect(decodeJwt(jwt)).toMatchObject({ aud: jwtApi, iss: scene.issuer.identifier });
      // iat and exp are whole seconds.
      expect(token.lifeSeconds).toBeGreaterThan(118);
      expect(token.lifeSeconds).toBeLessThanOrEqual(121);
    }
  });

  it('has the scope that was granted, where that is less than what was asked for', async () => {
    const inputs = { ...(await client()), resource: jwtApi, scope: 'orders:read orders:write' };
    expect((await scene.token(preset, inputs)).scope).toBe('orders:read');
  });
});
