import { Scene } from './scene';

const scene = Scene.forThisFile();
const client_secret = 'canary-s3cret';

/** What a client gives who knows the issuer and not its endpoints. */
async function byIssuer(more: Record<string, string | undefined> = {}) {
  const client_id = await scene.client({ client_secret });
  return { client_id, client_secret, token_url: undefined, issuer: scene.issuer.identifier, ...more };
}

const paths = async () => (await scene.issuer.asked()).map(({ path }) => path);

describe('the issuer alone is enough', () => {
  it('to find the token endpoint in its metadata, which are read once and not for every token', async () => {
    const inputs = await byIssuer();
    await scene.token('oauth2-client-credentials', inputs);
    expect(await paths()).toEqual([expect.stringMatching(/^\/\.well-known\//), '/token']);
    await scene.token('oauth2-client-credentials', inputs);
    expect(await paths()).toEqual(['/token']);
  });

  it('to be sent where certificates are asked for, which the metadata tell too (RFC 8705 5)', async () => {
    const client_id = await scene.client({
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=billing',
    });
    const { certificate, privateKey: private_key } = await scene.authority.issue({ subject: 'CN=billing' });
    const inputs = { token_url: undefined, issuer: scene.issuer.identifier, client_id, certificate, private_key };
    await scene.token('oauth2-mtls', inputs);
    expect((await scene.issuer.asked()).at(-1)).toMatchObject({
      path: '/token',
      certificate: 'CN=billing',
      status: 200,
    });
  });
});

describe('an issuer at a path, as those of many tenants are', () => {
  const tenant = Scene.forThisFile({ path: '/tenants/7' });

  it('is found by its metadata', async () => {
    const client_id = await tenant.client({ client_secret });
    const inputs = { client_id, client_secret, token_url: undefined, issuer: tenant.issuer.identifier };
    await tenant.token('oauth2-client-credentials', inputs);
    expect((await tenant.issuer.asked()).map(({ path }) => path)).toEqual([
      '/.well-known/openid-configuration',
      '/token',
    ]);
  });
});

it('a token URL is taken in place of what the metadata say, which are then not read', async () => {
  await scene.token('oauth2-client-credentials', await byIssuer({ token_url: scene.issuer.mutualTokenUrl }));
  expect(await paths()).toEqual(['/token']);
});

it('metadata that name another issuer are refused before a secret is sent (RFC 8414 3.3)', async () => {
  const inputs = await byIssuer({ issuer: scene.issuer.mutualOrigin });
  const refused = await scene.refusal('oauth2-client-credentials', inputs);
  expect(refused).toMatchObject({ code: 'provider_misconfigured', message: expect.stringContaining('issuer') });
  expect(refused.hint).toBeTruthy();
  expect(refused.asked.map(({ path }) => path)).not.toContain('/token');
});

it('an issuer without metadata is said to be misconfigured', async () => {
  const inputs = await byIssuer({ issuer: `${scene.issuer.origin}/nowhere` });
  const refused = await scene.refusal('oauth2-client-credentials', inputs);
  expect(refused).toMatchObject({ code: 'provider_misconfigured', providerStatus: 404 });
  expect(refused.hint).toBeTruthy();
});

it('neither a token URL nor an issuer is said to be a fault of the inputs', async () => {
  const refused = await scene.refusal('oauth2-client-credentials', await byIssuer({ issuer: undefined }));
  expect(refused).toMatchObject({ code: 'provider_misconfigured', asked: [] });
  expect(refused.hint).toBeTruthy();
});
