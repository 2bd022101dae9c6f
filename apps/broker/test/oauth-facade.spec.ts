import { request } from 'node:http';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { type Answer, ask, type Fleet, startFleet, until } from './fleet';

/** A token request as a form, by hand. */
type Ask = (body: string | Record<string, string>, headers?: Record<string, string>) => Promise<Answer>;

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const grant = { grant_type: 'client_credentials' };
const urn = (client: string) => `urn:token-broker:client:${client}`;

describe('the OAuth 2.0 facade', () => {
  let fleet: Fleet;
  let one: string;
  let many: string;
  let none: string;
  let url: string;
  let token: Ask;
  beforeAll(async () => {
    fleet = await startFleet();
    ({ url } = fleet.brokers[0]!);
    for (const name of ['eu', 'us', 'hidden']) await fleet.register(name);
    await fleet.register('stopped');
    await fleet.admin('POST', '/v1/clients/stopped/disable');
    one = await fleet.service('one', 'eu');
    many = await fleet.service('many', 'eu', 'us', 'stopped');
    none = await fleet.service('none');
    token = (body, headers = {}) =>
      ask(`${url}/oauth/token`, 'POST', typeof body === 'string' ? body : new URLSearchParams(body).toString(), {
        'content-type': 'application/x-www-form-urlencoded',
        ...headers,
      });
  });
  afterAll(() => fleet.stop());

  const served = async (client: string, key: string) => (await fleet.token(client, key)).body.access_token;

  describe('to libraries that nobody here wrote', () => {
    const allowHttp = { [oauth.allowInsecureRequests]: true };

    it.each([
      ['client_secret_basic', oauth.ClientSecretBasic],
      ['client_secret_post', oauth.ClientSecretPost],
    ])('oauth4webapi finds it by its metadata and gets the brokered token with %s', async (_, authenticate) => {
      const issuer = new URL(url);
      const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...allowHttp });
      const server = await oauth.processDiscoveryResponse(issuer, found);
      const client = { client_id: 'many' };
      const ask = (parameters: Record<string, string>) =>
        oauth.clientCredentialsGrantRequest(server, client, authenticate(many), parameters, allowHttp);
      for (const parameters of [{ resource: urn('us') }, { scope: 'client:us' }]) {
        const answer = await oauth.processClientCredentialsResponse(server, client, await ask(parameters));
        expect(answer).toMatchObject({ access_token: await served('us', many), token_type: 'bearer' });
        expect(answer.expires_in).toBeGreaterThan(250);
      }
      const refused = oauth.processClientCredentialsResponse(server, client, await ask({ resource: urn('hidden') }));
      await expect(refused).rejects.toMatchObject({ error: 'invalid_target', status: 400 });
    });

    it.each([
      ['client_secret_basic', openid.ClientSecretBasic],
      ['client_secret_post', openid.ClientSecretPost],
    ])('openid-client finds it by its metadata and gets the brokered token with %s', async (_, authenticate) => {
      const options = { algorithm: 'oauth2' as const, execute: [openid.allowInsecureRequests] };
      const config = await openid.discovery(new URL(url), 'one', undefined, authenticate(one), options);
      const answer = await openid.clientCredentialsGrant(config);
      expect(answer.access_token).toBe(await served('eu', one));
      expect(answer.expiresIn()).toBeGreaterThan(250);
      const used = { 'X-CAP-API-OAUTH-TOKEN': answer.access_token };
      expect((await ask(`${fleet.simulator.url}/v2/customers/lookup`, 'GET', undefined, used)).status).toBe(200);
      const wrong = await openid.discovery(new URL(url), 'one', undefined, authenticate(many), options);
      await expect(openid.clientCredentialsGrant(wrong)).rejects.toMatchObject({ status: 401 });
    });
  });

  it('answers as RFC 6749 5.1 says', async () => {
    const { status, headers, body } = await token(grant, { authorization: basic('one', one) });
    expect({ status, type: headers.get('content-type') }).toEqual({
      status: 200,
      type: 'application/json; charset=utf-8',
    });
    expect([headers.get('cache-control'), headers.get('pragma')]).toEqual(['no-store', 'no-cache']);
    expect(body).toEqual({
      access_token: await served('eu', one),
      token_type: 'Bearer',
      expires_in: expect.any(Number),
    });
  });

  it.each([
    ['a URN', { resource: 'urn:token-broker:client:us' }],
    ['its URL here', { resource: 'http://127.0.0.1/v1/clients/us' }],
    ['its URL behind a proxy', { resource: 'https://tokens.example.com/broker/v1/clients/us' }],
    ['its name', { resource: 'us' }],
    ['a scope', { scope: 'client:us' }],
    ['both ways, if they agree', { resource: urn('us'), scope: 'client:us' }],
  ])('takes the client as %s', async (_, names) => {
    const { body } = await token({ ...grant, ...names, client_id: 'many', client_secret: many });
    expect(body.access_token).toBe(await served('us', many));
  });

  it('takes an empty parameter as left out, a surplus one as not there, and a client_id beside Basic that agrees', async () => {
    const body = { ...grant, scope: '', resource: '', nonsense: 'x', client_id: 'one' };
    expect((await token(body, { authorization: basic('one', one) })).status).toBe(200);
  });

  it.each<[string, () => Parameters<Ask>, number, string]>([
    [
      'Basic and post at once',
      () => [{ ...grant, client_id: 'one', client_secret: one }, { authorization: basic('one', one) }],
      400,
      'invalid_request',
    ],
    [
      'Basic, and another client_id',
      () => [{ ...grant, client_id: 'many' }, { authorization: basic('one', one) }],
      400,
      'invalid_request',
    ],
    [
      'a parameter twice',
      () => [`grant_type=client_credentials&grant_type=client_credentials&client_id=one&client_secret=${one}`],
      400,
      'invalid_request',
    ],
    [
      'a secret twice',
      () => [`grant_type=client_credentials&client_id=one&client_secret=${one}&client_secret=${one}`],
      400,
      'invalid_request',
    ],
    [
      'a parameter that nobody knows, twice',
      () => [`grant_type=client_credentials&client_id=one&client_secret=${one}&x=1&x=`],
      400,
      'invalid_request',
    ],
    [
      'two resources',
      () => [`grant_type=client_credentials&client_id=many&client_secret=${many}&resource=us&resource=eu`],
      400,
      'invalid_target',
    ],
    ['no grant type', () => [{ client_id: 'one', client_secret: one }], 400, 'invalid_request'],
    ['nothing', () => [''], 400, 'invalid_request'],
    [
      'an unknown grant type',
      () => [{ grant_type: 'password', client_id: 'one', client_secret: one }],
      400,
      'unsupported_grant_type',
    ],
    [
      'a client assertion',
      () => [{ ...grant, client_id: 'one', client_assertion: 'a.b.c', client_assertion_type: 'x' }],
      400,
      'invalid_request',
    ],
    ['no authentication', () => [{ ...grant, resource: 'eu' }], 401, 'invalid_client'],
    ['no secret', () => [{ ...grant, client_id: 'one' }], 401, 'invalid_client'],
    ['no client_id', () => [{ ...grant, client_secret: one }], 401, 'invalid_client'],
    [
      'a wrong secret',
      () => [{ ...grant, client_id: 'one', client_secret: `tbk_${'x'.repeat(41)}` }],
      401,
      'invalid_client',
    ],
    ['a key of another service', () => [{ ...grant, client_id: 'one', client_secret: many }], 401, 'invalid_client'],
    [
      'a key of an admin',
      () => [{ ...grant, client_id: 'bootstrap', client_secret: fleet.env['BOOTSTRAP_ADMIN_KEY']! }],
      401,
      'invalid_client',
    ],
    ['a key as Bearer', () => [grant, { authorization: `Bearer ${one}` }], 401, 'invalid_client'],
    ['Basic that is no base64', () => [grant, { authorization: 'Basic %%%' }], 401, 'invalid_client'],
    [
      'Basic without a colon',
      () => [grant, { authorization: `Basic ${Buffer.from('one').toString('base64')}` }],
      401,
      'invalid_client',
    ],
    ['Basic that is not form-encoded', () => [grant, { authorization: basic('one%zz', one) }], 401, 'invalid_client'],
    ['NUL in the secret', () => [{ ...grant, client_id: 'one', client_secret: `${one}\0` }], 401, 'invalid_client'],
    [
      'a line break in the secret',
      () => [{ ...grant, client_id: 'one', client_secret: `${one}\r\nx: y` }],
      401,
      'invalid_client',
    ],
    ['NUL in client_id', () => [{ ...grant, client_id: 'one\0', client_secret: one }], 401, 'invalid_client'],
    [
      'an over-long secret',
      () => [{ ...grant, client_id: 'one', client_secret: 'x'.repeat(60_000) }],
      401,
      'invalid_client',
    ],
    [
      'a client that there is not',
      () => [{ ...grant, client_id: 'one', client_secret: one, resource: 'nobody' }],
      400,
      'invalid_target',
    ],
    [
      'a client that is not granted',
      () => [{ ...grant, client_id: 'one', client_secret: one, resource: 'hidden' }],
      400,
      'invalid_target',
    ],
    [
      'the scope of one that is not granted',
      () => [{ ...grant, client_id: 'one', client_secret: one, scope: 'client:hidden' }],
      400,
      'invalid_scope',
    ],
    ['another scope', () => [{ ...grant, client_id: 'one', client_secret: one, scope: 'read' }], 400, 'invalid_scope'],
    [
      'two scopes',
      () => [{ ...grant, client_id: 'many', client_secret: many, scope: 'client:eu client:us' }],
      400,
      'invalid_scope',
    ],
    [
      'resource and scope that disagree',
      () => [{ ...grant, client_id: 'many', client_secret: many, resource: 'eu', scope: 'client:us' }],
      400,
      'invalid_request',
    ],
    [
      'NUL in a resource',
      () => [{ ...grant, client_id: 'one', client_secret: one, resource: 'eu\0' }],
      400,
      'invalid_target',
    ],
    [
      'a line break in a scope',
      () => [{ ...grant, client_id: 'one', client_secret: one, scope: 'client:eu\r\n' }],
      400,
      'invalid_scope',
    ],
    [
      'an over-long resource',
      () => [
        { ...grant, client_id: 'one', client_secret: one, resource: `http://x/${'/v1/clients/'.repeat(3_000)}eu` },
      ],
      400,
      'invalid_target',
    ],
    [
      'a resource with a query',
      () => [{ ...grant, client_id: 'one', client_secret: one, resource: 'http://x/v1/clients/eu?a' }],
      400,
      'invalid_target',
    ],
    [
      'a disabled client',
      () => [{ ...grant, client_id: 'many', client_secret: many, resource: 'stopped' }],
      400,
      'invalid_target',
    ],
    [
      'no client, where there are several',
      () => [{ ...grant, client_id: 'many', client_secret: many }],
      400,
      'invalid_scope',
    ],
    [
      'no client, where there is none',
      () => [{ ...grant, client_id: 'none', client_secret: none }],
      400,
      'invalid_scope',
    ],
    [
      'JSON',
      () => [
        JSON.stringify({ ...grant, client_id: 'one', client_secret: one }),
        { 'content-type': 'application/json' },
      ],
      400,
      'invalid_request',
    ],
    [
      'another content type',
      () => [`grant_type=client_credentials`, { 'content-type': 'text/plain' }],
      400,
      'invalid_request',
    ],
  ])('refuses %s in the words of OAuth 2.0', async (_, request, status, error) => {
    const answer = await token(...request());
    expect(answer).toMatchObject({ status, body: { error, error_description: expect.any(String) } });
    // RFC 6749 5.2: which characters may stand in a description.
    expect(answer.body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(answer.headers.get('www-authenticate')).toBe(
      status === 401 ? 'Basic realm="token-broker", charset="UTF-8"' : null,
    );
    for (const secret of [one, many, none, 'hidden', fleet.simulator.url]) {
      if (!JSON.stringify(request()[0]).includes(secret) || secret.startsWith('tbk_'))
        expect(JSON.stringify(answer.body)).not.toContain(secret);
    }
  });

  it('refuses credentials in the URL, and does not write them down', async () => {
    const query = new URLSearchParams({ ...grant, client_id: 'one', client_secret: one });
    const answer = await ask(`${url}/oauth/token?${query}`, 'POST', '', {
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
    expect(fleet.brokers[0]!.output()).not.toContain(one);
  });

  it('takes two Authorization headers for none', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = {
        'content-type': 'application/x-www-form-urlencoded',
        authorization: [basic('one', one), basic('many', many)],
      };
      const sent = request(`${url}/oauth/token`, { method: 'POST', headers: headers as never }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on('error', reject);
      sent.end(new URLSearchParams(grant).toString());
    });
    expect(status).toBe(400);
  });

  it.each(['GET', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD'])('answers %s with 405', async (method) => {
    const answer = await ask(`${url}/oauth/token`, method, undefined, {});
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
    if (method !== 'HEAD') expect(answer.body).toMatchObject({ error: 'invalid_request' });
  });

  it.each(['application/x-www-form-urlencoded', 'application/json'])(
    'refuses 100 MB of %s before they were sent',
    async (type) => {
      const status = await new Promise<{ status?: number; body: string }>((resolve, reject) => {
        const headers = { 'content-type': type, 'content-length': 100 * 1024 * 1024 };
        const sent = request(`${url}/oauth/token`, { method: 'POST', headers }, (answer) => {
          let body = '';
          answer.on('data', (chunk) => (body += chunk));
          answer.on('end', () => {
            sent.destroy();
            resolve({ status: answer.statusCode!, body });
          });
        });
        sent.on('error', reject);
        sent.write('grant_type='); // and no more until there is an answer
      });
      expect(status.status).toBe(type.includes('json') ? 400 : 413);
      expect(JSON.parse(status.body)).toMatchObject({ error: 'invalid_request' });
    },
  );

  it('says 503, and when to come back, while there is no token', async () => {
    await fleet.register('down', { verify: false, modes: { outage: { status: 503 } } });
    const key = await fleet.service('waits', 'down');
    const answer = await token({ ...grant, client_id: 'waits', client_secret: key });
    expect(answer).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('obeys a grant that is made, taken away, or made by label, within a second or so', async () => {
    const key = await fleet.service('changes');
    const look = () => token({ ...grant, client_id: 'changes', client_secret: key });
    expect((await look()).status).toBe(400);
    await fleet.register('labelled', { labels: { region: 'x' } });
    const made = await fleet.admin('POST', '/v1/grants', { service: 'changes', label: 'region=x' });
    const answer = await until(look, ({ status }) => status === 200, 3_000);
    expect(answer.body.access_token).toBe((await fleet.token('labelled', key)).body.access_token);
    await fleet.admin('DELETE', `/v1/grants/${made.body.id}`);
    await until(look, ({ status }) => status === 400, 3_000);
  });

  it('counts its answers with those of the token route', async () => {
    const count = async () =>
      Number(
        /tokens_served_total\{result="hit"\} (\d+)/.exec((await ask(`${url}/metrics`, 'GET', undefined, {})).body)![1],
      );
    const before = await count();
    await token(grant, { authorization: basic('one', one) });
    expect(await count()).toBe(before + 1);
  });

  it('names in its metadata the address that it was asked at, whatever else a request says of it', async () => {
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

  it('names PUBLIC_URL in its metadata where it is set, path and all', async () => {
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
