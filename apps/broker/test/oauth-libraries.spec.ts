import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { ask, type Fleet, startFleet } from './fleet';

const urn = (client: string) => `urn:token-broker:client:${client}`;

describe('OAuth libraries that nobody here wrote', () => {
  let fleet: Fleet;
  let one: string;
  let many: string;
  let url: string;
  beforeAll(async () => {
    fleet = await startFleet();
    ({ url } = fleet.brokers[0]!);
    for (const name of ['eu', 'us', 'hidden']) await fleet.register(name);
    one = await fleet.service('one', 'eu');
    many = await fleet.service('many', 'eu', 'us');
  });
  afterAll(() => fleet.stop());

  const served = async (client: string, key: string) => (await fleet.token(client, key)).body.access_token;

  const allowHttp = { [oauth.allowInsecureRequests]: true };

  it.each([
    ['client_secret_basic', oauth.ClientSecretBasic],
    ['client_secret_post', oauth.ClientSecretPost],
  ])(
    'such as oauth4webapi find the broker by its metadata and get the brokered token with %s',
    async (_, authenticate) => {
      const issuer = new URL(url);
      const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...allowHttp });
      const server = await oauth.processDiscoveryResponse(issuer, found);
      const client = { client_id: 'many' };
      const asked = (parameters: Record<string, string>) =>
        oauth.clientCredentialsGrantRequest(server, client, authenticate(many), parameters, allowHttp);
      for (const parameters of [{ resource: urn('us') }, { scope: 'client:us' }]) {
        const answer = await oauth.processClientCredentialsResponse(server, client, await asked(parameters));
        expect(answer).toMatchObject({ access_token: await served('us', many), token_type: 'bearer' });
        expect(answer.expires_in).toBeGreaterThan(250);
      }
      const refused = oauth.processClientCredentialsResponse(server, client, await asked({ resource: urn('hidden') }));
      await expect(refused).rejects.toMatchObject({ error: 'invalid_target', status: 400 });
    },
  );

  it.each([
    ['client_secret_basic', openid.ClientSecretBasic],
    ['client_secret_post', openid.ClientSecretPost],
  ])(
    'such as openid-client find the broker by its metadata and get the brokered token with %s',
    async (_, authenticate) => {
      const options = { algorithm: 'oauth2' as const, execute: [openid.allowInsecureRequests] };
      const config = await openid.discovery(new URL(url), 'one', undefined, authenticate(one), options);
      const answer = await openid.clientCredentialsGrant(config);
      expect(answer.access_token).toBe(await served('eu', one));
      expect(answer.expiresIn()).toBeGreaterThan(250);
      const used = { 'X-CAP-API-OAUTH-TOKEN': answer.access_token };
      expect((await ask(`${fleet.simulator.url}/v2/customers/lookup`, 'GET', undefined, used)).status).toBe(200);
      const wrong = await openid.discovery(new URL(url), 'one', undefined, authenticate(many), options);
      await expect(openid.clientCredentialsGrant(wrong)).rejects.toMatchObject({ status: 401 });
    },
  );

  it('are told the address that they asked at, whatever else a request says of it', async () => {
    const path = '/.well-known/oauth-authorization-server';
    const answer = await ask(`${url}${path}`, 'GET', undefined, {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.example',
    });
    expect(answer.body).toEqual({
      issuer: url,
      token_endpoint: `${url}/oauth/token`,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
      response_types_supported: [],
      service_documentation: `${url}/docs`,
    });
    expect(answer.headers.get('cache-control')).toBe('no-store');
  });

  it('are told PUBLIC_URL where it is set, path and all', async () => {
    const broker = await fleet.addBroker({ PUBLIC_URL: 'https://tokens.example.com/broker/' });
    for (const path of ['', '/broker']) {
      const answer = await ask(`${broker.url}/.well-known/oauth-authorization-server${path}`, 'GET', undefined, {});
      expect(answer.body).toMatchObject({
        issuer: 'https://tokens.example.com/broker',
        token_endpoint: 'https://tokens.example.com/broker/oauth/token',
      });
    }
  });
});
