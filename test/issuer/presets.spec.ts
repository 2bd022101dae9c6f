import { expectNoSecret, type Inputs, definitionOf, Scene } from './scene';
import { keyInputs, publicJwk, signingKey } from './keys';

const scene = Scene.forThisFile();
const client_secret = 'canary+s3cret/%:';
const secret = (token_endpoint_auth_method: string) => async (): Promise<Inputs> => ({
  client_id: await scene.client({ client_secret, token_endpoint_auth_method }),
  client_secret,
});

it.each<[string, () => Promise<Inputs>]>([
  ['oauth2-client-credentials', secret('client_secret_basic')],
  ['oauth2-client-secret-post', secret('client_secret_post')],
  ['oauth2-client-secret-jwt', secret('client_secret_jwt')],
  [
    'oauth2-private-key-jwt',
    async () => {
      const key = signingKey('P-256');
      const jwks = { keys: [publicJwk(key)] };
      const client_id = await scene.client({ token_endpoint_auth_method: 'private_key_jwt', jwks });
      return { client_id, ...keyInputs(key, 'encrypted PKCS #8') };
    },
  ],
  [
    'oauth2-mtls',
    async () => {
      const { certificate, privateKey: private_key } = await scene.authority.issue({ subject: 'CN=billing' });
      const client_id = await scene.client({
        token_endpoint_auth_method: 'tls_client_auth',
        tls_client_auth_subject_dn: 'CN=billing',
      });
      return { client_id, token_url: scene.issuer.mutualTokenUrl, certificate, private_key };
    },
  ],
])('%s: a connection test shows what was sent, and neither a secret, an assertion nor the token', async (id, make) => {
  const inputs = await make();
  const test = await scene.tryOut(id, inputs);
  expect(test).toMatchObject({ ok: true, steps: [{ id: 'token', answer: { status: 200 } }] });
  expect(test.steps[0]!.request.body).toContain('grant_type=client_credentials');
  const asked = await scene.issuer.asked();
  expect(asked).toHaveLength(1);
  expectNoSecret(JSON.stringify(test), definitionOf(id), inputs, asked);
});
