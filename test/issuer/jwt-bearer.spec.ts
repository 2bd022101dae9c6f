import { readDefinition } from '#providers';
import { keyInputs, publicJwk, signingKey } from './keys';
import { Scene, variant } from './scene';

// oidc-provider authenticates the client, and hands the assertion to a grant of our own (jwt-bearer.mjs), which verifies it with
// jose: of these tests, only what concerns the client is about a server that nobody here wrote.
const grant = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const scene = Scene.forThisFile();
const key = signingKey('RSA');

const { definition } = readDefinition(`
id: jwt-bearer
inputs:
  token_url: { format: url }
  client_id: {}
  client_secret: { secret: true, optional: true }
  private_key: { format: private_key, secret: true }
  subject: {}
  scope: { optional: true }
  ca_certificate: { format: certificate }
assertions:
  grant:
    key: '{{inputs.private_key}}'
    claims:
      iss: '{{inputs.client_id}}'
      sub: '{{inputs.subject}}'
      aud: '{{inputs.token_url}}'
      jti: '{{uuid}}'
    ttl_s: 60
steps:
  - id: token
    method: POST
    url: '{{inputs.token_url}}'
    ca: '{{inputs.ca_certificate}}'
    body:
      form:
        grant_type: ${grant}
        assertion: '{{assertions.grant}}'
        client_id: '{{inputs.client_id}}'
        client_secret: '{{inputs.client_secret}}'
        scope: '{{inputs.scope}}'
token:
  value: '{{steps.token.body.access_token}}'
  scope: '{{steps.token.body.scope}}'
  expiry: [{ in: '{{steps.token.body.expires_in}}' }]
present: { headers: { Authorization: 'Bearer {{token}}' } }
`);

async function inputs(metadata: object) {
  const client_id = await scene.client({ grant_types: [grant], jwks: { keys: [publicJwk(key)] }, ...metadata });
  return { client_id, subject: 'robot@example.com', scope: 'read', private_key: keyInputs(key)['private_key'] };
}

describe('an assertion as the grant (RFC 7523 2.1)', () => {
  it('is exchanged for a token by a client that has nothing else to show', async () => {
    const token = await scene.token(definition, await inputs({ token_endpoint_auth_method: 'none' }));
    expect(token).toMatchObject({ lifeSeconds: 600, scope: 'read' });
    expect(await scene.issuer.asked()).toMatchObject([{ form: { grant_type: grant }, status: 200 }]);
  });

  it('is exchanged for a token by a client that authenticates besides', async () => {
    const client_secret = 'canary-s3cret';
    const metadata = { client_secret, token_endpoint_auth_method: 'client_secret_post' };
    expect(await scene.token(definition, { ...(await inputs(metadata)), client_secret })).toMatchObject({
      scope: 'read',
    });
  });

  it.each([
    ['by another key', definition, () => ({ private_key: keyInputs(signingKey('RSA'))['private_key'] })],
    ['that has expired', variantOf(({ claims }) => (claims.exp = '{{ now | minus: 60 }}')), () => ({})],
    ['that is for somebody else', variantOf(({ claims }) => (claims.aud = 'https://elsewhere.example')), () => ({})],
  ])('is refused as credentials are when it is one %s', async (_, of, more) => {
    const given = { ...(await inputs({ token_endpoint_auth_method: 'none' })), ...more() };
    const refused = await scene.refusal(of, given);
    expect(refused).toMatchObject({ code: 'credentials_refused', providerStatus: 400 });
    expect(refused.providerWords).toContain('invalid_grant');
    expect(refused.hint).toBeTruthy();
  });
});

function variantOf(change: (assertion: any) => void) {
  return variant(definition, ({ assertions }) => change(assertions.grant));
}
