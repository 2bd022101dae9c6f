import { stringify } from 'yaml';
import { runSql } from '../../../test/harness/database';
import { ask, type Fleet, startFleet } from './fleet';
import { type Issuer, startIssuer } from './issuer';

const canary = 'canary/Secret+11c0ffee';
const draft = (url: string) => ({
  id: 'draft',
  inputs: { secret: { secret: true } },
  steps: [{ id: 'token', method: 'POST', url, body: { json: { secret: '{{inputs.secret}}' } } }],
  token: { value: '{{steps.token.body.access_token}}', expiry: [{ fixed_s: 60 }] },
  present: { headers: { authorization: 'Bearer {{token}}' } },
});

describe('POST /v1/connection-tests', () => {
  let fleet: Fleet;
  let issuer: Issuer;
  let told = '';
  beforeAll(async () => {
    issuer = await startIssuer();
    fleet = await startFleet(1, { ALLOWED_PROVIDER_HOSTS: issuer.url, LOG_LEVEL: 'trace' });
  });
  afterAll(async () => {
    await fleet.stop();
    await issuer.close();
  });

  const test = async (body: unknown) => {
    const answer = await fleet.admin('POST', '/v1/connection-tests', body);
    told += JSON.stringify(answer.body);
    return answer;
  };
  const capillary = () => ({ base_url: issuer.url, key: 'a-client-key', secret: canary });
  /** An own definition may name any host in an input; the guard is all that stands between it and ours. */
  const anywhere = { ...draft('{{inputs.at}}/token'), inputs: { secret: { secret: true }, at: { format: 'url' } } };

  it('says that a token could be had, shows no secret and no token, and stores nothing', async () => {
    const accessToken = 'token-canary-5d1f2a';
    issuer.answer = () => ({ body: { data: { accessToken, ttlSeconds: 300 }, errors: null } });
    const { status, body } = await test({ provider: 'capillary', inputs: capillary() });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      ok: true,
      duration_ms: expect.any(Number),
      steps: expect.any(Array),
      extracted: { life_seconds: 300, present: { headers: { 'X-CAP-API-OAUTH-TOKEN': expect.any(String) } } },
    });
    expect(JSON.parse(issuer.received.at(-1)!.body)).toEqual({ key: 'a-client-key', secret: canary });
    expect(JSON.stringify(body)).not.toContain(accessToken);
    expect((await fleet.admin('GET', '/v1/clients')).body.items).toEqual([]);
  });

  it("tells a failure with the provider's words and a hint, as an answer like any other", async () => {
    issuer.answer = () => ({ status: 401, body: { error: 'invalid_client', error_description: `no ${canary}` } });
    const answer = await test({ definition: anywhere, inputs: { secret: canary, at: issuer.url } });
    expect(answer).toMatchObject({
      status: 200,
      body: {
        ...{ ok: false, provider_status: 401, error: expect.any(String), steps: expect.any(Array) },
        failure: { code: 'credentials_refused', provider_status: 401, provider_words: expect.any(String) },
      },
    });
    expect(answer.body.extracted).toBeUndefined();
  });

  it('tries a definition that is not stored, as YAML too, and stores none of it', async () => {
    issuer.answer = () => ({ body: { access_token: 'a-token' } });
    const answer = await test({ source: stringify(anywhere), inputs: { secret: canary, at: issuer.url } });
    expect(answer).toMatchObject({ status: 200, body: { ok: true } });
    expect((await fleet.admin('GET', '/v1/providers/draft')).status).toBe(404);
  });

  it('writes down who tried what and where it went, before it goes there', async () => {
    const { items } = (await fleet.admin('GET', '/v1/audit')).body;
    const host = new URL(issuer.url).host;
    expect(items.filter(({ action }: { action: string }) => action === 'connection.tested')).toMatchObject([
      { actor: 'admin:bootstrap', target: 'provider:draft', detail: { stored: false, hosts: host } },
      { target: 'provider:draft' },
      { target: 'provider:capillary', detail: { provider_version: 1, hosts: host } },
    ]);
  });

  it.each([
    'http://127.0.0.1:1',
    'http://169.254.169.254',
    'https://127.0.0.1:1',
    'https://[::1]:1',
    'https://[::ffff:10.0.0.1]',
    'https://localhost:1',
    'https://10.0.0.1',
    'https://100.64.0.1',
  ])('reaches no host that the guard forbids: %s', async (at) => {
    const asInput = await test({ definition: anywhere, inputs: { secret: canary, at } });
    expect(asInput).toMatchObject({
      status: 422,
      body: { code: 'invalid_inputs', errors: [{ pointer: '/inputs/at' }] },
    });
    if (at.startsWith('http:')) return;
    const fixed = await test({ definition: draft(`${at}/token`), inputs: { secret: canary } });
    expect(fixed.body.ok ?? false).toBe(false);
    expect(JSON.stringify(fixed.body)).toMatch(/private or reserved address|ALLOWED_PROVIDER_HOSTS/);
  });

  it.each<[string, object, number, string]>([
    ['without inputs', { provider: 'capillary' }, 400, 'validation_failed'],
    ['with inputs that are none', { provider: 'capillary', inputs: [] }, 400, 'validation_failed'],
    ['with missing inputs', { provider: 'capillary', inputs: {} }, 422, 'invalid_inputs'],
    ['of an unknown provider', { provider: 'nobody', inputs: {} }, 422, 'unknown_provider'],
    ['of an unknown version', { provider: 'capillary', provider_version: 9, inputs: {} }, 422, 'unknown_provider'],
    [
      'of a version that is none',
      { provider: 'capillary', provider_version: '1', inputs: {} },
      400,
      'validation_failed',
    ],
    ['of two things at once', { provider: 'capillary', source: 'x', inputs: {} }, 400, 'validation_failed'],
    ['of nothing', { inputs: {} }, 400, 'validation_failed'],
    ['of a bad definition', { definition: { id: 'x' }, inputs: {} }, 422, 'invalid_definition'],
    ['with what there is not', { provider: 'capillary', inputs: {}, verify: true }, 400, 'validation_failed'],
    ['with a NUL', { provider: '\0', inputs: {} }, 400, 'validation_failed'],
    [
      'with prototype names',
      { provider: 'capillary', inputs: { constructor: 'x', toString: 'x' } },
      422,
      'invalid_inputs',
    ],
  ])('is refused %s', async (_, body, status, code) => {
    const asked = issuer.received.length;
    expect(await test(body)).toMatchObject({ status, body: { code } });
    expect(issuer.received).toHaveLength(asked);
  });

  it('asks nobody while it cannot be written down', async () => {
    await runSql(fleet.database.url, 'ALTER TABLE audit_entries RENAME TO hidden');
    const asked = issuer.received.length;
    const answer = await test({ provider: 'capillary', inputs: capillary() });
    await runSql(fleet.database.url, 'ALTER TABLE hidden RENAME TO audit_entries');
    expect(answer.status).toBe(500);
    expect(issuer.received).toHaveLength(asked);
  });

  it('leaks the secret into no answer, log or audit row', async () => {
    told += JSON.stringify((await fleet.admin('GET', '/v1/audit?limit=200')).body);
    const everything = told + fleet.brokers[0]!.output();
    expect(everything).toContain('connection.tested');
    for (const form of [canary, encodeURIComponent(canary), 'token-canary', 'a-client-key']) {
      expect(everything).not.toContain(form);
    }
  });

  it('takes JSON only', async () => {
    const url = `${fleet.brokers[0]!.url}/v1/connection-tests`;
    const headers = { authorization: `Bearer ${fleet.env['BOOTSTRAP_ADMIN_KEY']}`, 'content-type': 'application/yaml' };
    expect(await ask(url, 'POST', 'provider: capillary', headers)).toMatchObject({
      status: 415,
      body: { code: 'unsupported_media_type' },
    });
  });

  it("takes from the provider's quota, and says when there is room in it again", async () => {
    issuer.answer = () => ({ body: { access_token: 'a-token' } });
    const definition = { ...anywhere, renew: { quota: { requests: 1, per_s: 600 } } };
    const body = { definition, inputs: { secret: canary, at: issuer.url } };
    expect((await test(body)).body).toMatchObject({ ok: true });
    const asked = issuer.received.length;
    const answer = await test(body);
    expect(answer).toMatchObject({ status: 503, body: { code: 'throttled' } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(590);
    expect(issuer.received).toHaveLength(asked);
  });
});
