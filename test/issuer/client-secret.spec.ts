import { decodeProtectedHeader } from 'jose';
import { Scene, variant } from './scene';

const scene = Scene.forThisFile();

/** Each of them breaks a requester that encodes once too often, or not at all. */
const awkward = [
  ['nothing special', 'billing', 'canary-s3cret'],
  ['colons', 'tenant:billing', ':canary:s3cret:'],
  ['percent signs', '50%25', 'canary%3As3cret%'],
  ['plus signs and spaces', 'billing + loyalty', ' canary+s3cret '],
  ['what forms, HTML and JSON are made of', 'a=b&c;d', "canary\"<s3cret>&x='y'\\"],
  ['every visible character', visible(), `canary${visible()}`],
];

function visible(): string {
  return String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index));
}

describe('client_secret_basic: oauth2-client-credentials', () => {
  it.each(awkward)('an id and a secret of %s are understood', async (_, id, client_secret) => {
    const client_id = await scene.client({ client_id: `basic ${id}`, client_secret });
    const token = await scene.token('oauth2-client-credentials', { client_id, client_secret });
    expect(token.headers).toEqual({ Authorization: `Bearer ${token.accessToken.reveal()}` });
    const [asked] = await scene.issuer.asked();
    expect(asked).toMatchObject({ method: 'POST', path: '/token', scheme: 'Basic', status: 200 });
    expect(asked!.form).toEqual({ grant_type: 'client_credentials' });
  });

  it('is not understood when the colon of an id is not encoded, which is what the encoding is for', async () => {
    const plain = variant('oauth2-client-credentials', (definition) => delete definition.steps[0].basic.encode);
    const client_secret = 'canary-s3cret';
    const client_id = await scene.client({ client_id: 'plain:billing', client_secret });
    const refused = await scene.refusal(plain, { client_id, client_secret });
    expect(refused).toMatchObject({ code: 'credentials_refused', asked: [{ why: 'client not found' }] });
  });
});

describe('client_secret_post: oauth2-client-secret-post', () => {
  it.each(awkward)('an id and a secret of %s are understood', async (_, id, client_secret) => {
    const metadata = { client_id: `post ${id}`, client_secret, token_endpoint_auth_method: 'client_secret_post' };
    const client_id = await scene.client(metadata);
    await scene.token('oauth2-client-secret-post', { client_id, client_secret });
    const [asked] = await scene.issuer.asked();
    expect(asked).not.toHaveProperty('scheme');
    expect(asked).toMatchObject({ form: { grant_type: 'client_credentials', client_id, client_secret }, status: 200 });
  });
});

describe('client_secret_jwt: oauth2-client-secret-jwt', () => {
  it.each(['HS256', 'HS384', 'HS512'])('%s proves the secret without sending it', async (algorithm) => {
    const client_secret = `canary ${visible()}`;
    const client_id = await scene.client({
      client_secret,
      token_endpoint_auth_method: 'client_secret_jwt',
      token_endpoint_auth_signing_alg: algorithm,
    });
    await scene.token('oauth2-client-secret-jwt', { client_id, client_secret, algorithm });
    const [asked] = await scene.issuer.asked();
    expect(asked).toMatchObject({ status: 200, form: { client_id, grant_type: 'client_credentials' } });
    expect(JSON.stringify(asked)).not.toContain('canary');
    expect(decodeProtectedHeader(asked!.form['client_assertion']!)).toEqual({ alg: algorithm, typ: 'JWT' });
  });

  it('HS256 is the algorithm unless another one is chosen', async () => {
    const client_secret = 'canary-s3cret';
    const client_id = await scene.client({ client_secret, token_endpoint_auth_method: 'client_secret_jwt' });
    await scene.token('oauth2-client-secret-jwt', { client_id, client_secret });
    const [asked] = await scene.issuer.asked();
    expect(decodeProtectedHeader(asked!.form['client_assertion']!).alg).toBe('HS256');
  });
});
