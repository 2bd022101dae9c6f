import { request } from 'node:http';
import { type Answer, ask, type Fleet, startFleet, until } from './fleet';

/** A token request as a form, by hand. */
type Ask = (body: string | Record<string, string>, headers?: Record<string, string>) => Promise<Answer>;

const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
const form = { 'content-type': 'application/x-www-form-urlencoded' };
const valid = 'grant_type=client_credentials&client_id=one&client_secret=ONE';
const grant = { grant_type: 'client_credentials' };

describe('the OAuth 2.0 facade', () => {
  let fleet: Fleet;
  let one: string;
  let many: string;
  let none: string;
  let url: string;
  let token: Ask;
  beforeAll(async () => {
    fleet = await startFleet(1, { AUDIT_READS: 'true' });
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

  const filled = (words: string) =>
    words
      .replaceAll('NONE', none)
      .replaceAll('MANY', many)
      .replaceAll('ONE', one)
      .replace('WRONG', `tbk_${'x'.repeat(41)}`)
      .replace('ADMIN', fleet.env['BOOTSTRAP_ADMIN_KEY']!)
      .replace('LONG', 'http://x/'.padEnd(60_000, '/v1/clients/'));
  const expectRefusal = ({ status, headers, body }: Answer, wanted: number, error: string) => {
    expect({ status, body }).toMatchObject({ status: wanted, body: { error } });
    // RFC 6749 5.2: which characters may stand in a description.
    expect(body.error_description).toMatch(/^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
    expect(headers.get('cache-control')).toBe('no-store');
    const challenge = wanted === 401 ? 'Basic realm="token-broker", charset="UTF-8"' : null;
    expect(headers.get('www-authenticate')).toBe(challenge);
  };
  const served = async (client: string, key: string) => (await fleet.token(client, key)).body.access_token;

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
    ['both ways, if they agree', { resource: 'urn:token-broker:client:us', scope: 'client:us' }],
  ])('takes the client as %s', async (_, names) => {
    const { body } = await token({ ...grant, ...names, client_id: 'many', client_secret: many });
    expect(body.access_token).toBe(await served('us', many));
  });

  it('takes an empty parameter as left out, a surplus one as not there, and a client_id beside Basic that agrees', async () => {
    const body = { ...grant, scope: '', resource: '', nonsense: 'x', client_id: 'one' };
    expect((await token(body, { authorization: basic('one', one) })).status).toBe(200);
  });

  it.each<[string, string, string | undefined, string]>([
    ['Basic and post at once', 'client_id=one&client_secret=ONE', 'Basic ONE', 'invalid_request'],
    ['Basic, and another client_id', 'client_id=many', 'Basic ONE', 'invalid_request'],
    [
      'a parameter twice',
      'grant_type=client_credentials&client_id=one&client_secret=ONE',
      undefined,
      'invalid_request',
    ],
    ['a secret twice', 'client_id=one&client_secret=ONE&client_secret=ONE', undefined, 'invalid_request'],
    ['a parameter that nobody knows, twice', 'client_id=one&client_secret=ONE&x=1&x=', undefined, 'invalid_request'],
    ['two resources', 'client_id=many&client_secret=MANY&resource=us&resource=eu', undefined, 'invalid_target'],
    [
      'a client assertion',
      'client_id=one&client_assertion=a.b.c&client_assertion_type=x',
      undefined,
      'invalid_request',
    ],
    ['no authentication', 'resource=eu', undefined, 'invalid_client'],
    ['no secret', 'client_id=one', undefined, 'invalid_client'],
    ['no client_id', 'client_secret=ONE', undefined, 'invalid_client'],
    ['a wrong secret', 'client_id=one&client_secret=WRONG', undefined, 'invalid_client'],
    ['a key of another service', 'client_id=one&client_secret=MANY', undefined, 'invalid_client'],
    ['a key of an admin', 'client_id=bootstrap&client_secret=ADMIN', undefined, 'invalid_client'],
    ['a key as Bearer', '', 'Bearer ONE', 'invalid_client'],
    ['Basic that is no base64', '', 'Basic %%%', 'invalid_client'],
    ['Basic without a colon', '', 'Basic b25l', 'invalid_client'],
    ['Basic that is not form-encoded', '', 'Basic b25lJXp6OngK', 'invalid_client'],
    ['NUL in the secret', 'client_id=one&client_secret=ONE%00', undefined, 'invalid_client'],
    ['a line break in the secret', 'client_id=one&client_secret=ONE%0D%0Ax:%20y', undefined, 'invalid_client'],
    ['a space before the secret', 'client_id=one&client_secret=+ONE', undefined, 'invalid_client'],
    ['NUL in client_id', 'client_id=one%00&client_secret=ONE', undefined, 'invalid_client'],
    ['an over-long secret', 'client_id=one&client_secret=LONG', undefined, 'invalid_client'],
    ['a client that there is not', 'client_id=one&client_secret=ONE&resource=nobody', undefined, 'invalid_target'],
    ['a client that is not granted', 'client_id=one&client_secret=ONE&resource=hidden', undefined, 'invalid_target'],
    [
      'the scope of one that is not granted',
      'client_id=one&client_secret=ONE&scope=client:hidden',
      undefined,
      'invalid_scope',
    ],
    ['another scope', 'client_id=one&client_secret=ONE&scope=read', undefined, 'invalid_scope'],
    ['two scopes', 'client_id=many&client_secret=MANY&scope=client:eu+client:us', undefined, 'invalid_scope'],
    [
      'resource and scope that disagree',
      'client_id=many&client_secret=MANY&resource=eu&scope=client:us',
      undefined,
      'invalid_request',
    ],
    ['NUL in a resource', 'client_id=one&client_secret=ONE&resource=eu%00', undefined, 'invalid_target'],
    ['a line break in a scope', 'client_id=one&client_secret=ONE&scope=client:eu%0D%0A', undefined, 'invalid_scope'],
    ['an over-long resource', 'client_id=one&client_secret=ONE&resource=LONG', undefined, 'invalid_target'],
    [
      'a resource with a query',
      'client_id=one&client_secret=ONE&resource=http://x/v1/clients/eu%3Fa',
      undefined,
      'invalid_target',
    ],
    ['a disabled client', 'client_id=many&client_secret=MANY&resource=stopped', undefined, 'invalid_target'],
    ['no client, where there are several', 'client_id=many&client_secret=MANY', undefined, 'invalid_scope'],
    ['no client, where there is none', 'client_id=none&client_secret=NONE', undefined, 'invalid_scope'],
  ])('refuses %s in the words of OAuth 2.0', async (_, words, authorization, error) => {
    const stated = authorization === 'Basic ONE' ? basic('one', one) : authorization?.replace('ONE', one);
    const answer = await token(
      `grant_type=client_credentials&${filled(words)}`,
      stated === undefined ? {} : { authorization: stated },
    );
    expectRefusal(answer, error === 'invalid_client' ? 401 : 400, error);
    for (const secret of [one, many, none, ...(words.includes('hidden') ? [] : ['hidden'])]) {
      expect(JSON.stringify(answer.body)).not.toContain(secret);
    }
  });

  it.each([
    ['nothing', '', 'application/x-www-form-urlencoded', 'invalid_request'],
    ['no grant type', 'client_id=one&client_secret=ONE', 'application/x-www-form-urlencoded', 'invalid_request'],
    ['an unknown grant type', 'grant_type=password', 'application/x-www-form-urlencoded', 'unsupported_grant_type'],
    ['JSON', '{"grant_type":"client_credentials"}', 'application/json', 'invalid_request'],
    ['another content type', 'grant_type=client_credentials', 'text/plain', 'invalid_request'],
  ])('refuses %s', async (_, body, type, error) => {
    const answer = await token(filled(body), { 'content-type': type });
    expect(answer.status).toBe(400);
    expectRefusal(answer, 400, error);
  });

  it.each(['client_id', 'client_secret', 'grant_type', 'subject_token', 'resource'])(
    'refuses %s in the URL, whatever the body has, and does not write it down',
    async (name) => {
      const answer = await ask(`${url}/oauth/token?${name}=${one}`, 'POST', filled(valid), form);
      expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_request' } });
      expect(fleet.brokers[0]!.output()).not.toContain(one);
      expect((await ask(`${url}/oauth/token?tenant=x`, 'POST', filled(valid), form)).status).toBe(200);
    },
  );

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

  it.each([
    ['100 MB of a form, before they were sent', form, 100 * 1024 * 1024, 413],
    ['100 MB of JSON, before they were sent', { 'content-type': 'application/json' }, 100 * 1024 * 1024, 400],
    ['a form without end, after 64 KB', form, undefined, 413],
  ])('refuses %s', async (_, type, length, status) => {
    const answer = await new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const headers = { ...type, ...(length && { 'content-length': length }) };
      const sent = request(`${url}/oauth/token`, { method: 'POST', headers }, (response) => {
        let body = '';
        response.on('data', (chunk) => (body += chunk));
        response.on('end', () => {
          sent.destroy();
          resolve({ status: response.statusCode, body });
        });
      });
      sent.on('error', reject);
      sent.write('x'.repeat(length ? 1 : 70_000)); // and no more until there is an answer
    });
    expect(answer.status).toBe(status);
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'invalid_request' });
  });

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

  it('notes its answers with those of the token route, where reads are audited', async () => {
    const key = await fleet.service('audited', 'us');
    await token({ ...grant, client_id: 'audited', client_secret: key });
    const look = async () => (await fleet.admin('GET', '/v1/audit/reads?service=audited')).body.items;
    const [read] = await until(look, ({ length }) => length > 0);
    expect(read).toMatchObject({ reads: 1, client: 'us' });
  });

  it('counts its answers with those of the token route', async () => {
    const count = async () =>
      Number(
        /tokens_served_total\{result="hit"\} (\d+)/.exec((await ask(`${url}/metrics`, 'GET', undefined, {})).body)![1],
      );
    await token(grant, { authorization: basic('one', one) }); // and now it is in memory, and checked
    const before = await count();
    await token(grant, { authorization: basic('one', one) });
    expect(await count()).toBe(before + 1);
  });
});
