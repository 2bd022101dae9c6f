import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Scene } from '../../../test/issuer/scene';
import { startSimulator } from '../../simulator/src/simulator';
import { ask, type Fleet, startFleet, until } from './fleet';
import { type JwtIssuerStub, startJwtIssuer } from './jwt-issuer';

const asJwt = { accessTokenFormat: 'jwt' as const, accessTokenTTL: 300, scope: '', jwt: { sign: { alg: 'ES256' } } };
const scene = Scene.forThisFile({ resources: { 'urn:token-broker': asJwt, 'urn:other': asJwt } });

describe('a service that shows a JWT in place of a key', () => {
  let folder: string;
  let cluster: JwtIssuerStub;
  let fleet: Fleet;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-jwt-'));
    cluster = await startJwtIssuer('RS256');
    writeFileSync(join(folder, 'ca.pem'), scene.authority.certificate);
    writeFileSync(join(folder, 'token'), 'the-token-of-the-broker-itself\n');
    const issuers = [
      {
        issuer: scene.issuer.identifier,
        audience: 'urn:token-broker',
        service: { claim: 'client_id' },
        ca_file: join(folder, 'ca.pem'),
      },
      {
        issuer: 'https://kubernetes.default.svc.cluster.local',
        audience: 'token-broker',
        jwks_uri: `${cluster.url}/keys`,
        token_file: join(folder, 'token'),
        service: { pattern: 'system:serviceaccount:shop:(?<service>[a-z0-9-]+)' },
      },
    ];
    writeFileSync(join(folder, 'issuers.json'), JSON.stringify(issuers));
    const simulator = await startSimulator({ port: 0 });
    const ALLOWED_PROVIDER_HOSTS = [simulator.url, scene.issuer.origin, cluster.url].join();
    fleet = await startFleet(
      1,
      { JWT_ISSUERS_FILE: join(folder, 'issuers.json'), ALLOWED_PROVIDER_HOSTS },
      { simulator },
    );
    await fleet.register('eu');
    await fleet.register('other');
    await fleet.service('checkout', 'eu');
    await scene.client({ client_id: 'checkout', client_secret: 'secret-of-checkout' });
  }, 60_000);
  afterAll(async () => {
    await Promise.all([fleet.stop(), cluster.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  /** As the kubelet projects it: no `typ`, a list of audiences, claims within claims. */
  const serviceAccountToken = (more: Record<string, unknown> = {}) =>
    cluster.sign(
      {
        iss: 'https://kubernetes.default.svc.cluster.local',
        aud: ['token-broker'],
        sub: 'system:serviceaccount:shop:checkout',
        nbf: Math.floor(Date.now() / 1_000),
        'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'checkout', uid: '1' } },
        ...more,
      },
      { typ: undefined },
    );
  const fromProvider = async (resource: string) => {
    const inputs = { client_id: 'checkout', client_secret: 'secret-of-checkout', resource };
    return (await scene.token('oauth2-client-credentials', inputs)).accessToken.reveal();
  };

  it('gets the tokens that it was granted, and no others', async () => {
    const jwt = await serviceAccountToken();
    expect((await fleet.token('eu', jwt)).status).toBe(200);
    expect((await fleet.token('other', jwt)).status).toBe(404);
    expect((await fleet.admin('GET', '/v1/clients', undefined, { authorization: `Bearer ${jwt}` })).status).toBe(403);
    expect(cluster.lastHeaders().authorization).toBe('Bearer the-token-of-the-broker-itself');
  });

  it('is taken from an issuer that nobody here wrote, by its metadata', async () => {
    expect((await fleet.token('eu', await fromProvider('urn:token-broker'))).status).toBe(200);
    expect((await fleet.token('eu', await fromProvider('urn:other'))).status).toBe(401);
  });

  it('is nobody where there is no such service, and the log says what to do', async () => {
    const jwt = await serviceAccountToken({ sub: 'system:serviceaccount:shop:unheard-of' });
    expect(await fleet.token('eu', jwt)).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    const line = await until(
      async () =>
        fleet.brokers[0]!.output()
          .split('\n')
          .find((one) => one.includes('unheard-of')),
      (found) => found !== undefined,
    );
    expect(JSON.parse(line!)).toMatchObject({
      level: 40,
      service: 'unheard-of',
      hint: expect.stringContaining('POST'),
    });
    await fleet.admin('POST', '/v1/services', { name: 'unheard-of' });
    await fleet.admin('POST', '/v1/grants', { service: 'unheard-of', client: 'eu' });
    await until(
      () => fleet.token('eu', jwt),
      ({ status }) => status === 200,
    );
  });

  it.each([
    ['for another audience', { aud: ['https://kubernetes.default.svc'] }],
    ['of another namespace', { sub: 'system:serviceaccount:other:checkout' }],
    ['that has expired', { exp: Math.floor(Date.now() / 1_000) - 120 }],
  ])('is nobody with one %s', async (_, claims) => {
    expect((await fleet.token('eu', await serviceAccountToken(claims))).status).toBe(401);
  });

  it('loses what it loses with its grant, though its JWT is good', async () => {
    const jwt = await serviceAccountToken();
    expect((await fleet.token('eu', jwt)).status).toBe(200);
    await fleet.admin('DELETE', '/v1/services/checkout');
    expect((await fleet.token('eu', jwt)).status).toBe(401);
    await fleet.service('checkout', 'eu');
    expect((await fleet.token('eu', jwt)).status).toBe(200);
  });

  it('exchanges it for the token of a client (RFC 8693)', async () => {
    const form = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: await serviceAccountToken(),
      subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      scope: 'client:eu',
    });
    const answer = await ask(`${fleet.brokers[0]!.url}/oauth/token`, 'POST', form.toString(), {
      'content-type': 'application/x-www-form-urlencoded',
    });
    const wanted = (await fleet.token('eu', await serviceAccountToken())).body.access_token;
    expect(answer).toMatchObject({ status: 200, body: { access_token: wanted } });
  });
});
