import { once } from 'node:events';
import { request } from 'node:https';
import { json } from 'node:stream/consumers';
import { Authority, type Identity } from './authority';
import { type Issuer, startIssuer } from './issuer';

let authority: Authority;
let issuer: Issuer;
beforeAll(async () => {
  authority = await Authority.create('Issuers');
  const tls = await authority.issue({ subject: 'CN=localhost', dns: ['localhost'] });
  issuer = await startIssuer({ tls, clientAuthority: authority.certificate });
});
afterAll(() => issuer.stop());

/** Without anything of ours in between. */
async function ask(url: string, form?: Record<string, string>, identity?: Identity): Promise<Record<string, unknown>> {
  const sent = request(url, {
    agent: false,
    method: form ? 'POST' : 'GET',
    ca: authority.certificate,
    ...(identity && { cert: identity.certificate, key: identity.privateKey }),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  const [response] = await once(sent.end(form && new URLSearchParams(form).toString()), 'response');
  return { status: response.statusCode, ...((await json(response)) as object) };
}

it('is oidc-provider with every client authentication and every algorithm that the specs here go through', async () => {
  const metadata = await ask(`${issuer.origin}/.well-known/openid-configuration`);
  expect(metadata).toMatchObject({ status: 200, issuer: issuer.identifier, token_endpoint: issuer.tokenUrl });
  expect(metadata['mtls_endpoint_aliases']).toEqual({ token_endpoint: issuer.mutualTokenUrl });
  expect(metadata['token_endpoint_auth_methods_supported']).toEqual([
    'client_secret_basic',
    'client_secret_post',
    'client_secret_jwt',
    'private_key_jwt',
    'tls_client_auth',
    'self_signed_tls_client_auth',
    'none',
  ]);
  expect(metadata['token_endpoint_auth_signing_alg_values_supported']).toHaveLength(14);
});

it('tells once what it was asked, and for which reason of its own it refused', async () => {
  const identity = await authority.issue({ subject: 'CN=billing' });
  await issuer.asked();
  await issuer.register({
    client_id: 'billing',
    client_secret: 'secret',
    token_endpoint_auth_method: 'client_secret_post',
  });
  const form = { grant_type: 'client_credentials', client_id: 'billing', client_secret: 'wrong' };
  expect(await ask(issuer.mutualTokenUrl, form, identity)).toMatchObject({ status: 401, error: 'invalid_client' });
  expect(await issuer.asked()).toEqual([
    {
      method: 'POST',
      path: '/token',
      credentials: ['wrong'],
      certificate: 'CN=billing',
      form,
      status: 401,
      why: 'invalid secret provided',
    },
  ]);
  expect(await issuer.asked()).toEqual([]);
});

it('takes no client that is not well described', async () => {
  await expect(issuer.register({ client_id: 'bare' })).rejects.toThrow('client_secret is mandatory property');
  // RFC 6749 A.1 and A.2 know ASCII only; others than oidc-provider take what their people type.
  await expect(issuer.register({ client_id: 'ü', client_secret: 'ü' })).rejects.toThrow('invalid client_id');
});

it('ends when it is stopped', async () => {
  const tls = await authority.issue({ subject: 'CN=localhost', dns: ['localhost'] });
  const another = await startIssuer({ tls, clientAuthority: authority.certificate });
  await another.stop();
  expect(() => process.kill(another.pid, 0)).toThrow('ESRCH');
  await expect(another.asked()).rejects.toThrow('Channel closed');
});
