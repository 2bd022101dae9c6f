import { createPrivateKey, X509Certificate } from 'node:crypto';
import { decodeJwt } from 'jose';
import { Authority, type Identity, selfSigned } from './authority';
import { keyInputs, passphrase } from './keys';
import { Scene } from './scene';

const preset = 'oauth2-mtls';
const api = 'https://api.example/';
const scene = Scene.forThisFile({
  resources: {
    [api]: { accessTokenFormat: 'jwt', accessTokenTTL: 300, scope: 'read', jwt: { sign: { alg: 'ES256' } } },
  },
});

function inputs(client_id: string, { certificate, privateKey }: Identity, more: Record<string, string> = {}) {
  return { token_url: scene.issuer.mutualTokenUrl, client_id, certificate, private_key: privateKey, ...more };
}

const billing = { subject: 'O=Example,CN=billing' };

describe('tls_client_auth: oauth2-mtls', () => {
  it.each([
    ['subject', billing, { tls_client_auth_subject_dn: 'CN=billing,O=Example' }],
    ['DNS name', { ...billing, dns: ['billing.example'] }, { tls_client_auth_san_dns: 'billing.example' }],
    ['URI', { ...billing, uri: ['spiffe://example/billing'] }, { tls_client_auth_san_uri: 'spiffe://example/billing' }],
    ['address', { ...billing, ip: ['192.0.2.7'] }, { tls_client_auth_san_ip: '192.0.2.7' }],
    ['e-mail', { ...billing, email: ['billing@example.com'] }, { tls_client_auth_san_email: 'billing@example.com' }],
  ])('a certificate of an authority that the provider trusts authenticates by its %s', async (_, subject, expected) => {
    const client_id = await scene.client({ token_endpoint_auth_method: 'tls_client_auth', ...expected });
    await scene.token(preset, inputs(client_id, await scene.authority.issue(subject)));
    const [asked] = await scene.issuer.asked();
    expect(asked).toMatchObject({ certificate: 'O=Example\nCN=billing', status: 200 });
    expect(asked!.form).toEqual({ grant_type: 'client_credentials', client_id });
  });

  it('a private key that is encrypted is opened with its passphrase', async () => {
    const client_id = await scene.client({
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=billing,O=Example',
    });
    const identity = await scene.authority.issue(billing);
    const key = { privateKey: createPrivateKey(identity.privateKey), kid: 'billing' };
    const encrypted = keyInputs(key, 'encrypted SEC 1');
    expect(encrypted['passphrase']).toBe(passphrase);
    await scene.token(preset, { ...inputs(client_id, identity), ...encrypted });
    expect(await scene.issuer.asked()).toMatchObject([{ status: 200 }]);
  });

  it('a certificate comes with its chain, where the provider knows only the root', async () => {
    const client_id = await scene.client({
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=billing,O=Example',
    });
    const intermediate = await scene.authority.delegate('Billing department');
    const identity = await intermediate.issue(billing);
    const refused = await scene.refusal(preset, inputs(client_id, identity));
    expect(refused.asked).toMatchObject([{ why: 'client certificate was not verified' }]);
    const certificate = `${identity.certificate}\n${intermediate.certificate}`;
    await scene.token(preset, inputs(client_id, { ...identity, certificate }));
    expect(await scene.issuer.asked()).toMatchObject([{ status: 200 }]);
  });
});

describe('self_signed_tls_client_auth: oauth2-mtls', () => {
  /** RFC 8705 2.2.2: the client's certificates stand in its key set. */
  async function clientWith({ certificate }: Identity): Promise<string> {
    const x509 = new X509Certificate(certificate);
    const jwk = { ...x509.publicKey.export({ format: 'jwk' }), x5c: [x509.raw.toString('base64')] };
    return scene.client({ token_endpoint_auth_method: 'self_signed_tls_client_auth', jwks: { keys: [jwk] } });
  }

  it('a certificate that no authority vouches for authenticates the client that it was registered for', async () => {
    const identity = await selfSigned(billing);
    await scene.token(preset, inputs(await clientWith(identity), identity));
    expect(await scene.issuer.asked()).toMatchObject([{ certificate: 'O=Example\nCN=billing', status: 200 }]);
  });

  it('and no other certificate does, be its names the same', async () => {
    const client_id = await clientWith(await selfSigned(billing));
    const refused = await scene.refusal(preset, inputs(client_id, await selfSigned(billing)));
    expect(refused).toMatchObject({
      code: 'credentials_refused',
      providerStatus: 401,
      asked: [{ why: 'unregistered client certificate provided' }],
    });
    expect(refused.hint).toBeTruthy();
  });
});

describe('clients with certificates', () => {
  it('never share a connection, nor a TLS session, nor lend theirs to a client without one', async () => {
    const names = ['one', 'two', 'three'];
    const clients = await Promise.all(
      names.map(async (name) => {
        const tls_client_auth_subject_dn = `CN=${name}`;
        const client_id = await scene.client({
          token_endpoint_auth_method: 'tls_client_auth',
          tls_client_auth_subject_dn,
        });
        return inputs(client_id, await scene.authority.issue({ subject: `CN=${name}` }));
      }),
    );
    const bare = { client_id: await scene.client({ client_secret: 'canary-s3cret' }), client_secret: 'canary-s3cret' };
    const token_url = scene.issuer.mutualTokenUrl;
    // Time and again on the same connections, so that whatever is kept is used.
    for (let round = 0; round < 3; round++) {
      await Promise.all(clients.map((client) => scene.token(preset, client)));
      await scene.token('oauth2-client-credentials', { ...bare, token_url });
    }
    const asked = await scene.issuer.asked();
    expect(asked).toHaveLength(12);
    for (const { form, certificate, status } of asked) {
      const index = clients.findIndex(({ client_id }) => client_id === form['client_id']);
      expect({ certificate, status }).toEqual({
        status: 200,
        ...(index >= 0 && { certificate: `CN=${names[index]}` }),
      });
    }
  });

  it('get tokens that are bound to their certificate (RFC 8705 3)', async () => {
    const identity = await scene.authority.issue(billing);
    const client_id = await scene.client({
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=billing,O=Example',
      tls_client_certificate_bound_access_tokens: true,
    });
    const token = await scene.token(preset, inputs(client_id, identity, { resource: api }));
    const thumbprint = Buffer.from(new X509Certificate(identity.certificate).fingerprint256.replaceAll(':', ''), 'hex');
    expect(decodeJwt(token.accessToken.reveal())['cnf']).toEqual({ 'x5t#S256': thumbprint.toString('base64url') });
    expect(token.tokenType).toBe('Bearer');
  });
});

describe('a client certificate is refused', () => {
  const registered = () =>
    scene.client({
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=billing,O=Example',
    });

  it.each<[string, () => Promise<Identity>, string]>([
    [
      'of an authority that the provider does not know',
      async () => (await Authority.create('Scene')).issue(billing),
      'client certificate was not verified',
    ],
    [
      'that has expired',
      () => scene.authority.issue({ ...billing, fromHours: -48, toHours: -24 }),
      'client certificate was not verified',
    ],
    [
      'that is not valid yet',
      () => scene.authority.issue({ ...billing, fromHours: 24, toHours: 48 }),
      'client certificate was not verified',
    ],
    [
      'of somebody else',
      () => scene.authority.issue({ subject: 'O=Example,CN=shipping' }),
      'certificate subject value does not match the registered one',
    ],
  ])('%s', async (_, identity, why) => {
    const refused = await scene.refusal(preset, inputs(await registered(), await identity()));
    expect(refused).toMatchObject({ code: 'credentials_refused', providerStatus: 401, asked: [{ why }] });
    expect(refused.hint).toBeTruthy();
  });

  it('that was sent to an address where certificates are not asked for', async () => {
    const identity = await scene.authority.issue(billing);
    const token_url = scene.issuer.tokenUrl;
    const refused = await scene.refusal(preset, inputs(await registered(), identity, { token_url }));
    expect(refused).toMatchObject({
      code: 'credentials_refused',
      asked: [{ why: 'client certificate was not provided' }],
    });
  });

  it('before it is sent, where the key is not its own', async () => {
    const { privateKey } = await scene.authority.issue(billing);
    const identity = { ...(await scene.authority.issue(billing)), privateKey };
    const refused = await scene.refusal(preset, inputs(await registered(), identity));
    expect(refused).toMatchObject({ code: 'provider_misconfigured', asked: [] });
    expect(refused.hint).toBeTruthy();
  });
});

describe('a provider that refuses in the handshake', () => {
  const strict = Scene.forThisFile({ insist: true });
  const strictInputs = (client_id: string, identity: Identity) => ({
    ...inputs(client_id, identity),
    token_url: strict.issuer.mutualTokenUrl,
  });
  const registered = () =>
    strict.client({
      token_endpoint_auth_method: 'tls_client_auth',
      tls_client_auth_subject_dn: 'CN=billing,O=Example',
    });

  it('takes a certificate that it trusts', async () => {
    const token = await strict.token(preset, strictInputs(await registered(), await strict.authority.issue(billing)));
    expect(token.lifeSeconds).toBe(600);
  });

  // Node's server closes the connection without saying why; what is made of those that do is in network.spec.ts.
  it.each<[string, () => Promise<Identity>]>([
    ['of an authority that it does not know', async () => (await Authority.create('Scene')).issue(billing)],
    ['that has expired', () => strict.authority.issue({ ...billing, fromHours: -48, toHours: -24 })],
  ])('gives no answer to a certificate %s, and the hint thinks of that', async (_, identity) => {
    const refused = await strict.refusal(preset, strictInputs(await registered(), await identity()));
    expect(refused).toMatchObject({ code: 'provider_unavailable', asked: [] });
    expect(refused.hint).toMatch(/client certificate/);
  });

  it('gives no answer to a client without a certificate, and the hint thinks of that', async () => {
    const client_id = await strict.client({ client_secret: 'canary-s3cret' });
    const token_url = strict.issuer.mutualTokenUrl;
    const given = { client_id, client_secret: 'canary-s3cret', token_url };
    const refused = await strict.refusal('oauth2-client-credentials', given);
    expect(refused).toMatchObject({ code: 'provider_unavailable', asked: [] });
    expect(refused.hint).toMatch(/client certificate/);
  });
});
