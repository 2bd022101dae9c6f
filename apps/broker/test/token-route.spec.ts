import { runSql } from '../../../test/harness/database';
import { ask, type Fleet, startFleet, until } from './fleet';

describe('GET /v1/clients/{name}/token', () => {
  let fleet: Fleet;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet();
    await fleet.register('eu', { labels: { team: 'loyalty' } });
    await fleet.register('other');
    key = await fleet.service('checkout', 'eu');
  });
  afterAll(() => fleet.stop());

  const transactions = async (): Promise<number> => {
    const counted = 'SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()';
    const [row] = await runSql(fleet.database.url, counted);
    return Number(row.xact_commit);
  };

  it('answers with a token that the provider takes, and headers ready to send', async () => {
    const { status, headers, body } = await fleet.token('eu', key);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toContain('application/json');
    expect(headers.get('etag')).toMatch(/^"\d+"$/);
    expect(body).toMatchObject({
      client: 'eu',
      token_type: 'Bearer',
      headers: { 'X-CAP-API-OAUTH-TOKEN': body.access_token },
    });
    expect(body.expires_in).toBeGreaterThan(250);
    expect(body.expires_in).toBeLessThanOrEqual(270); // 300 s of life less the margin
    expect(Math.abs(Date.parse(body.expires_at) - Date.now() - body.expires_in * 1_000)).toBeLessThan(2_000);
    const used = await ask(`${fleet.simulator.url}/v2/customers/lookup`, 'GET', undefined, body.headers);
    expect(used).toMatchObject({ status: 200, body: { client: 'key-of-eu' } });
  });

  it('answers 304 while it is still the token that the caller has', async () => {
    const etag = (await fleet.token('eu', key)).headers.get('etag')!;
    for (const has of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const { status, headers, body } = await fleet.token('eu', key, { headers: { 'if-none-match': has } });
      expect([status, body, headers.get('etag'), headers.get('cache-control')]).toEqual([304, '', etag, 'no-store']);
    }
    expect((await fleet.token('eu', key, { headers: { 'if-none-match': '"1"' } })).status).toBe(200);
  });

  it('asks the provider once for any number of readers', async () => {
    await fleet.control('PUT', '/clients/key-of-cold', { secret: 'secret-of-cold', modes: { latency_ms: 300 } });
    await fleet.register('cold', { verify: false, modes: { latency_ms: 300 } });
    const cold = await fleet.service('reads-cold', 'cold');
    const answers = await Promise.all(Array.from({ length: 50 }, () => fleet.token('cold', cold)));
    expect(new Set(answers.map(({ status, body }) => `${status} ${body.access_token}`)).size).toBe(1);
    expect(answers[0]!.status).toBe(200);
    expect((await fleet.calls('cold')).calls).toBe(1);
  });

  it('renews on demand for min_ttl, as far as the life of a token allows', async () => {
    await fleet.register('short', { ttlSeconds: 30 });
    const short = await fleet.service('reads-short', 'short');
    const first = await fleet.token('short', short, { query: '?min_ttl=10' });
    expect(first.body.expires_in).toBeGreaterThanOrEqual(10);
    expect((await fleet.calls('short')).calls).toBe(1);
    await until(
      () => fleet.token('short', short),
      ({ body }) => body.expires_in < 23,
    );
    const again = await fleet.token('short', short, { query: '?min_ttl=24' });
    expect(again.body.expires_in).toBeGreaterThanOrEqual(24);
    expect((await fleet.calls('short')).calls).toBe(2);
    // More than any token has to give: the best there is, and no call for each read.
    for (let i = 0; i < 5; i++)
      expect((await fleet.token('short', short, { query: '?min_ttl=86400' })).status).toBe(200);
    expect((await fleet.calls('short')).calls).toBeLessThanOrEqual(3);
  });

  it.each(['-1', '1.5', 'abc', '', '86401', '9999999', '1&min_ttl=2'])('refuses min_ttl=%s', async (value) => {
    const answer = await fleet.token('eu', key, { query: `?min_ttl=${value}` });
    expect(answer).toMatchObject({
      status: 400,
      body: { code: 'validation_failed', errors: [{ pointer: '/min_ttl' }] },
    });
  });

  it('tells an unknown client and one not granted in the same words', async () => {
    const [unknown, ungranted] = await Promise.all([fleet.token('nobody', key), fleet.token('other', key)]);
    expect(unknown.status).toBe(404);
    const same = ({ body: { request_id: _, detail, ...body } }: { body: any }, name: string) => ({
      ...body,
      detail: detail.replace(name, ''),
    });
    expect(same(ungranted, 'other')).toEqual(same(unknown, 'nobody'));
  });

  it('lets in nobody without a valid service key', async () => {
    const mistyped = `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}`;
    for (const bad of ['', 'tbk_short', mistyped, 'x'.repeat(600)]) {
      const answer = await fleet.token('eu', bad);
      expect(answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
      expect(answer.headers.get('www-authenticate')).toContain('Bearer');
      expect(answer.headers.get('cache-control')).toBe('no-store');
    }
    const basic = await fleet.token('eu', key, { headers: { authorization: `Basic ${key}` } });
    expect(basic.status).toBe(401);
  });

  it.each(['%00', '%zz', 'x%2Fy', '..%2F..', 'x'.repeat(3_000), '__proto__'])(
    'is not upset by the name %s',
    async (name) => {
      expect([401, 400]).toContain((await fleet.token(name, 'x')).status);
      expect([404, 400]).toContain((await fleet.token(name, key)).status);
    },
  );

  it('a flood of keys that are none costs the database nothing and drives out nobody who is known', async () => {
    await fleet.token('eu', key);
    const before = await transactions();
    for (let i = 0; i < 4; i++) {
      await Promise.all(Array.from({ length: 250 }, (_, n) => fleet.token(`client-${i}-${n}`, 'no-key-at-all')));
    }
    expect((await transactions()) - before).toBeLessThan(100);
    expect((await fleet.token('eu', key)).status).toBe(200);
  });

  it('keeps services and admins apart: neither key opens the doors of the other', async () => {
    expect((await fleet.admin('GET', '/v1/clients/eu/token')).status).toBe(403);
    const asService = await ask(`${fleet.brokers[0]!.url}/v1/clients`, 'GET', undefined, {
      authorization: `Bearer ${key}`,
    });
    expect(asService).toMatchObject({ status: 403, body: { code: 'forbidden' } });
  });

  it('grants by label, for clients that come later too', async () => {
    await fleet.admin('POST', '/v1/services', { name: 'by-label' });
    await fleet.admin('POST', '/v1/grants', { service: 'by-label', label: 'team=later' });
    const { body } = await fleet.admin('POST', '/v1/services/by-label/keys', {});
    await fleet.register('later', { labels: { team: 'later' } });
    await until(
      () => fleet.token('later', body.key),
      ({ status }) => status === 200,
    );
    expect((await fleet.token('eu', body.key)).status).toBe(404);
  });

  it('stops serving a key that was revoked, a grant that was taken back, a key that has expired', async () => {
    const revoked = await fleet.service('revoked', 'eu');
    const ungranted = await fleet.service('ungranted', 'eu');
    expect((await fleet.token('eu', revoked)).status).toBe(200);
    expect((await fleet.token('eu', ungranted)).status).toBe(200);
    const [keyRow] = (await fleet.admin('GET', '/v1/services/revoked/keys')).body.items;
    expect((await fleet.admin('DELETE', `/v1/services/revoked/keys/${keyRow.id}`)).status).toBe(204);
    expect((await fleet.token('eu', revoked)).status).toBe(401);
    const [grant] = (await fleet.admin('GET', '/v1/grants?service=ungranted')).body.items;
    expect((await fleet.admin('DELETE', `/v1/grants/${grant.id}`)).status).toBe(204);
    expect((await fleet.token('eu', ungranted)).status).toBe(404);
    const expires_at = new Date(Date.now() + 1_500).toISOString();
    const { body } = await fleet.admin('POST', '/v1/services/ungranted/keys', { expires_at });
    await fleet.admin('POST', '/v1/grants', { service: 'ungranted', client: 'eu' });
    expect((await fleet.token('eu', body.key)).status).toBe(200);
    await until(
      () => fleet.token('eu', body.key),
      ({ status }) => status === 401,
    );
    const past = await fleet.admin('POST', '/v1/services/ungranted/keys', { expires_at: '2001-01-01T00:00:00Z' });
    expect(past).toMatchObject({ status: 400, body: { errors: [{ pointer: '/expires_at' }] } });
  });

  it('says why there is no token, what to do, and when to ask again', async () => {
    await fleet.register('down', { verify: false, modes: { outage: { status: 503 } } });
    const down = await fleet.service('reads-down', 'down');
    const answer = await fleet.token('down', down);
    expect(answer).toMatchObject({
      status: 503,
      body: { code: 'token_unavailable', reason: 'provider_unavailable', hint: expect.any(String) },
    });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    const { calls } = await fleet.calls('down');
    await Promise.all(Array.from({ length: 20 }, () => fleet.token('down', down)));
    expect((await fleet.calls('down')).calls - calls).toBeLessThanOrEqual(1); // readers do not hammer a provider that is down
  });

  it('remembers when a key was used last', async () => {
    await fleet.token('eu', key);
    const rows = await until(
      () => fleet.admin('GET', '/v1/services/checkout/keys'),
      ({ body }) => body.items[0].last_used_at !== null,
      15_000,
    );
    expect(Date.now() - Date.parse(rows.body.items[0].last_used_at)).toBeLessThan(60_000);
  });
});
