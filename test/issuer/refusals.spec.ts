import { type ProviderDefinition } from '#providers';
import { keyInputs, publicJwk, signingKey } from './keys';
import { type Inputs, Scene, variant } from './scene';

const scene = Scene.forThisFile({
  resources: { 'https://api.example/': { accessTokenFormat: 'opaque', accessTokenTTL: 60, scope: 'read' } },
});
const basic = 'oauth2-client-credentials';
const signed = 'oauth2-private-key-jwt';
const client_secret = 'canary-s3cret';
const key = signingKey('P-256');

const secretClient = async (more: object = {}) => ({
  client_id: await scene.client({ client_secret, ...more }),
  client_secret,
});
const keyClient = async () => ({
  client_id: await scene.client({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [publicJwk(key)] } }),
  ...keyInputs(key),
});
const claims = (more: object) => variant(signed, ({ assertions }) => Object.assign(assertions.client.claims, more));
const form = (more: object) => variant(basic, ({ steps }) => Object.assign(steps[0].body.form, more));

interface Case {
  of: string | ProviderDefinition;
  inputs: () => Promise<Inputs>;
  /** oidc-provider's own reason, so that nothing is refused for another one. */
  why: string | RegExp;
}

async function refusalOf({ of, inputs, why }: Case) {
  const refused = await scene.refusal(of, await inputs());
  expect(refused.asked).toHaveLength(1);
  expect(refused.asked[0]!.why).toMatch(why);
  expect(refused.hint).toBeTruthy();
  return refused;
}

describe('credentials are refused', () => {
  it.each<[string, Case]>([
    [
      'for a wrong secret in Basic',
      {
        of: basic,
        inputs: async () => ({ ...(await secretClient()), client_secret: 'canary-wr0ng' }),
        why: 'invalid secret provided',
      },
    ],
    [
      'for a wrong secret in the body',
      {
        of: 'oauth2-client-secret-post',
        inputs: async () => ({
          ...(await secretClient({ token_endpoint_auth_method: 'client_secret_post' })),
          client_secret: 'canary-wr0ng',
        }),
        why: 'invalid secret provided',
      },
    ],
    [
      'for a wrong secret under a JWT',
      {
        of: 'oauth2-client-secret-jwt',
        inputs: async () => ({
          ...(await secretClient({ token_endpoint_auth_method: 'client_secret_jwt' })),
          client_secret: 'canary-wr0ng',
        }),
        why: 'signature verification failed',
      },
    ],
    [
      'for a client that the provider does not know',
      { of: basic, inputs: async () => ({ client_id: 'nobody', client_secret }), why: 'client not found' },
    ],
    [
      'for another method than the client is registered for',
      {
        of: basic,
        inputs: () => secretClient({ token_endpoint_auth_method: 'client_secret_jwt' }),
        why: /does not match the registered client authentication method/,
      },
    ],
    [
      'for a secret that has expired',
      { of: basic, inputs: () => secretClient({ client_secret_expires_at: 1 }), why: /client_secret expired/ },
    ],
    [
      'for an assertion by a wrong key',
      {
        of: signed,
        inputs: async () => ({ ...(await keyClient()), ...keyInputs(signingKey('P-256')) }),
        why: 'signature verification failed',
      },
    ],
    [
      'for a key id that the provider does not know',
      {
        of: signed,
        inputs: async () => ({ ...(await keyClient()), key_id: 'unheard-of' }),
        why: 'no applicable key found',
      },
    ],
    [
      'for an assertion that has expired',
      { of: claims({ exp: '{{ now | minus: 60 }}' }), inputs: keyClient, why: 'jwt expired' },
    ],
    [
      'for an assertion that is not valid yet',
      { of: claims({ nbf: '{{ now | plus: 60 }}' }), inputs: keyClient, why: 'jwt not active yet' },
    ],
    [
      'for an assertion that never ends',
      { of: claims({ exp: null }), inputs: keyClient, why: 'expiration must be specified' },
    ],
    [
      'for an assertion that is for somebody else',
      {
        of: signed,
        inputs: async () => ({ ...(await keyClient()), assertion_audience: 'https://elsewhere.example' }),
        why: 'audience (aud) must equal',
      },
    ],
    [
      'for a scope that the client does not have',
      {
        of: basic,
        inputs: async () => ({ ...(await secretClient({ scope: 'read' })), scope: 'read write' }),
        why: 'requested scope is not allowed',
      },
    ],
    [
      'for a resource that the provider does not know',
      {
        of: basic,
        inputs: async () => ({ ...(await secretClient()), resource: 'https://elsewhere.example/' }),
        why: 'resource indicator is missing, or unknown',
      },
    ],
    [
      'for a resource that is no URI',
      {
        of: basic,
        inputs: async () => ({ ...(await secretClient()), resource: 'orders' }),
        why: 'resource indicator must be an absolute URI',
      },
    ],
  ])('%s', async (_, given) => {
    const refused = await refusalOf(given);
    expect(refused).toMatchObject({ code: 'credentials_refused', providerStatus: refused.asked[0]!.status });
    expect(refused.providerWords).toMatch(/invalid_(client|scope|target)/);
  });

  it('for an assertion that was used before', async () => {
    const replayed = claims({ jti: 'always-the-same' });
    const inputs = await keyClient();
    await scene.token(replayed, inputs);
    const refused = await scene.refusal(replayed, inputs);
    expect(refused).toMatchObject({ code: 'credentials_refused', providerStatus: 401 });
    expect(refused.asked.at(-1)!.why).toBe('client assertion tokens must only be used once');
  });
});

describe('the definition or the inputs are at fault, not the credentials,', () => {
  it.each<[string, Case]>([
    [
      'for a grant that this client may not use',
      {
        of: basic,
        inputs: () => secretClient({ grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'] }),
        why: 'requested grant type is not allowed for this client',
      },
    ],
    [
      'for a grant that the provider does not have',
      { of: form({ grant_type: 'password' }), inputs: secretClient, why: 'unsupported grant_type requested' },
    ],
    [
      'for a request with two ways of authentication at once',
      {
        of: form({ client_secret: '{{inputs.client_secret}}' }),
        inputs: secretClient,
        why: 'client authentication must only be provided using one mechanism',
      },
    ],
    [
      'for a request without the grant',
      {
        of: variant(basic, ({ steps }) => delete steps[0].body.form.grant_type),
        inputs: async () => ({ ...(await secretClient()), scope: 'read' }),
        why: /missing required parameter.*grant_type/,
      },
    ],
  ])('%s', async (_, given) => {
    expect(await refusalOf(given)).toMatchObject({ code: 'provider_misconfigured', providerStatus: 400 });
  });

  it('for a token URL that leads nowhere', async () => {
    const inputs = { ...(await secretClient()), token_url: `${scene.issuer.origin}/oauth/token` };
    expect(await scene.refusal(basic, inputs)).toMatchObject({ code: 'provider_misconfigured', providerStatus: 404 });
  });
});

it.each([
  ['a passphrase that does not open it', { ...keyInputs(key, 'encrypted PKCS #8'), passphrase: 'canary wrong' }],
  ['no passphrase', { ...keyInputs(key, 'encrypted PKCS #8'), passphrase: undefined }],
  ['an algorithm that it is not for', { ...keyInputs(key), algorithm: 'RS256' }],
])('a key with %s is a fault of the inputs, found before anything is sent', async (_, inputs) => {
  const refused = await scene.refusal(signed, { client_id: 'billing', ...inputs });
  expect(refused).toMatchObject({ code: 'provider_misconfigured', asked: [] });
  expect(refused.hint).toBeTruthy();
});
