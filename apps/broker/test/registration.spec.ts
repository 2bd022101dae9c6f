import { runSql } from '../../../test/harness/database';
import { type Fleet, startFleet, until } from './fleet';

describe('registering clients', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet();
  });
  afterAll(() => fleet.stop());

  const inputs = () => ({ base_url: fleet.simulator.url, key: 'key-of-x', secret: 'secret-of-x' });
  const create = (body: object, query = '') =>
    fleet.admin('POST', `/v1/clients${query}`, { provider: 'capillary', ...body });
  const auditActions = async (target: string) =>
    (await fleet.admin('GET', `/v1/audit?target=${target}`)).body.items.map((row: { action: string }) => row.action);

  it('tries the client at its provider first, keeps the token that this brought, and never tells the secret again', async () => {
    const { status, headers, body } = await fleet.register('eu', { labels: { team: 'loyalty' } });
    expect(status).toBe(201);
    expect(headers.get('location')).toBe('/v1/clients/eu');
    expect(body).toMatchObject({ name: 'eu', provider: 'capillary', condition: 'fresh', labels: { team: 'loyalty' } });
    expect(body.runway_seconds).toBeGreaterThan(200);
    const key = await fleet.service('reads-eu', 'eu');
    expect((await fleet.token('eu', key)).status).toBe(200);
    expect((await fleet.calls('eu')).calls).toBe(1);
    const everywhere = [
      body,
      (await fleet.admin('GET', '/v1/clients/eu')).body,
      (await fleet.admin('GET', '/v1/clients')).body,
    ];
    expect(JSON.stringify(everywhere)).not.toMatch(/secret-of-eu|key-of-eu/);
    expect(await auditActions('client:eu')).toEqual(['client.created']);
  });

  it("answers a failed try with the provider's words and a hint, and stores nothing", async () => {
    await fleet.control('PUT', '/clients/key-of-bad', { secret: 'another' });
    const { status, body, headers } = await create({ name: 'bad', inputs: { ...inputs(), key: 'key-of-bad' } });
    expect(status).toBe(422);
    expect(headers.get('content-type')).toContain('application/problem+json');
    expect(body).toMatchObject({ code: 'credentials_refused', hint: expect.stringContaining('key and secret') });
    expect(body.provider_words).toContain('320001');
    expect((await fleet.admin('GET', '/v1/clients/bad')).status).toBe(404);
    expect(await auditActions('client:bad')).toEqual([]);
  });

  it('tells an unreachable provider from one that refuses', async () => {
    await fleet.control('PUT', '/clients/key-of-down', { secret: 'secret-of-x', modes: { outage: { status: 502 } } });
    const { status, body } = await create({ name: 'down', inputs: { ...inputs(), key: 'key-of-down' } });
    expect(status).toBe(502);
    expect(body).toMatchObject({ code: 'provider_unavailable', provider_status: 502, hint: expect.any(String) });
  });

  it('with verify=false stores the client without a try, and renews it at once', async () => {
    const { status, body } = await fleet.register('unverified', { verify: false });
    expect(status).toBe(201);
    expect(body.condition).toBe('renewing');
    await until(
      () => fleet.admin('GET', '/v1/clients/unverified'),
      (answer) => answer.body.condition === 'fresh',
    );
  });

  it('refuses a name that is taken without asking the provider', async () => {
    await fleet.register('taken');
    const again = await create({
      name: 'taken',
      inputs: { ...inputs(), key: 'key-of-taken', secret: 'secret-of-taken' },
    });
    expect(again).toMatchObject({ status: 409, body: { code: 'already_exists' } });
    expect((await fleet.calls('taken')).calls).toBe(1);
  });

  it('changes a client only for who saw its present version', async () => {
    await fleet.register('patched');
    const seen = (await fleet.admin('GET', '/v1/clients/patched')).headers.get('etag')!;
    const patch = (etag?: string) =>
      fleet.admin(
        'PATCH',
        '/v1/clients/patched',
        { labels: { by: 'me' } },
        etag === undefined ? {} : { 'if-match': etag },
      );
    expect(await patch()).toMatchObject({ status: 428, body: { code: 'precondition_required' } });
    const changed = await patch(seen);
    expect(changed).toMatchObject({ status: 200, body: { labels: { by: 'me' }, version: 2 } });
    expect(changed.headers.get('etag')).toBe('"v2"');
    expect(await patch(seen)).toMatchObject({ status: 412, body: { code: 'version_mismatch' } });
    expect(await patch('nonsense')).toMatchObject({ status: 412 });
    expect(await auditActions('client:patched')).toEqual(['client.updated', 'client.created']);
  });

  it('keeps to a shorter life than the provider gives, where the client asks for it', async () => {
    await fleet.control('PUT', '/clients/key-of-x', { secret: 'secret-of-x', ttl_seconds: 300 });
    const body = { name: 'limited', inputs: inputs(), renewal: { max_ttl_seconds: 100 } };
    const made = await create(body);
    expect(made).toMatchObject({ status: 201, body: { renewal: { max_ttl_seconds: 100 } } });
    expect(made.body.runway_seconds).toBeLessThanOrEqual(90);
    for (const renewal of [{ max_ttl_seconds: 0 }, { max_ttl_seconds: '9' }, { sooner: true }, 5, null]) {
      const answer = await create({ ...body, name: 'odd', renewal });
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
    const wide = await fleet.admin('PATCH', '/v1/clients/limited', { renewal: {} }, { 'if-match': '"v1"' });
    expect(wide).toMatchObject({ status: 200, body: { renewal: {} } });
    const renewed = () => fleet.admin('GET', '/v1/clients/limited');
    await until(renewed, ({ body: now }) => now.runway_seconds > 200);
    await fleet.admin('PATCH', '/v1/clients/limited', { renewal: { max_ttl_seconds: 60 } }, { 'if-match': '*' });
    await until(renewed, ({ body: now }) => now.runway_seconds <= 54);
  });

  it('takes a new secret after a try, and serves a token got with it', async () => {
    await fleet.register('rotated');
    const key = await fleet.service('reads-rotated', 'rotated');
    const before = (await fleet.token('rotated', key)).body.access_token;
    const patch = (secret: string) =>
      fleet.admin('PATCH', '/v1/clients/rotated', { inputs: { secret } }, { 'if-match': '*' });
    expect(await patch('wrong')).toMatchObject({ status: 422, body: { code: 'credentials_refused' } });
    await fleet.control('PUT', '/clients/key-of-rotated', { secret: 'new-secret' });
    expect(await patch('new-secret')).toMatchObject({ status: 200, body: { secret_version: 2, condition: 'fresh' } });
    await until(
      () => fleet.token('rotated', key),
      (answer) => answer.status === 200 && answer.body.access_token !== before,
    );
    expect((await fleet.calls('rotated')).issued).toBe(2);
  });

  it('sends no stored secret to another host: the secrets must be given again', async () => {
    await fleet.register('moved');
    const body = { inputs: { base_url: 'https://apac.api.capillarytech.com' } };
    const answer = await fleet.admin('PATCH', '/v1/clients/moved', body, { 'if-match': '*' });
    expect(answer).toMatchObject({ status: 422, body: { code: 'secrets_required' } });
    expect(answer.body.errors.map((fault: { pointer: string }) => fault.pointer).sort()).toEqual([
      '/inputs/key',
      '/inputs/secret',
    ]);
  });

  it('disables, enables and deletes, each with its audit row, twice without harm', async () => {
    await fleet.register('comes-and-goes');
    const key = await fleet.service('reads-it', 'comes-and-goes');
    const post = (verb: string) => fleet.admin('POST', `/v1/clients/comes-and-goes/${verb}`);
    expect(await post('disable')).toMatchObject({ status: 200, body: { condition: 'disabled' } });
    expect(await post('disable')).toMatchObject({ status: 200 });
    expect(
      await until(
        () => fleet.token('comes-and-goes', key),
        ({ status }) => status !== 200,
      ),
    ).toMatchObject({
      status: 409,
      body: { code: 'client_disabled' },
    });
    expect(await post('enable')).toMatchObject({ status: 200 });
    await until(
      () => fleet.token('comes-and-goes', key),
      ({ status }) => status === 200,
    );
    expect((await fleet.admin('DELETE', '/v1/clients/comes-and-goes')).status).toBe(204);
    expect((await fleet.admin('DELETE', '/v1/clients/comes-and-goes')).status).toBe(404);
    await until(
      () => fleet.token('comes-and-goes', key),
      ({ status }) => status === 404,
    );
    const actions = ['client.deleted', 'client.enabled', 'client.disabled', 'client.created'];
    expect(await auditActions('client:comes-and-goes')).toEqual(actions);
  });

  it('lists page by page, and by condition, provider, label and part of the name', async () => {
    for (const name of ['list-a', 'list-b', 'list-c']) await fleet.register(name, { labels: { kind: 'listed' } });
    const names = (answer: { body: { items: { name: string }[] } }) => answer.body.items.map((item) => item.name);
    const first = await fleet.admin('GET', '/v1/clients?label=kind=listed&limit=2');
    expect(names(first)).toEqual(['list-a', 'list-b']);
    const second = await fleet.admin('GET', `/v1/clients?label=kind=listed&limit=2&cursor=${first.body.next_cursor}`);
    expect(names(second)).toEqual(['list-c']);
    expect(second.body.next_cursor).toBeUndefined();
    expect(names(await fleet.admin('GET', '/v1/clients?q=LIST-&status=fresh&provider=capillary'))).toHaveLength(3);
    expect(names(await fleet.admin('GET', '/v1/clients?q=list-&status=disabled'))).toEqual([]);
    expect((await fleet.admin('GET', '/v1/clients?status=unwell')).status).toBe(400);
    expect((await fleet.admin('GET', '/v1/clients?limit=0')).status).toBe(400);
  });

  it('pages through the audit, the newest first', async () => {
    const { body } = await fleet.admin('GET', '/v1/audit?limit=3');
    const next = await fleet.admin('GET', `/v1/audit?limit=3&cursor=${body.next_cursor}`);
    const seqs = [...body.items, ...next.body.items].map((row: { seq: string }) => Number(row.seq));
    expect(seqs).toHaveLength(6);
    expect(seqs).toEqual([...seqs].sort((a, b) => b - a));
    expect(body.items[0]).toMatchObject({ actor: 'admin:bootstrap', request_id: expect.any(String) });
    expect((await fleet.admin('GET', '/v1/audit?cursor=bm90LWEtbnVtYmVy')).status).toBe(400);
  });

  it('changes nothing, and no version, where nothing is to be changed', async () => {
    await fleet.register('unchanged');
    for (const body of [{}, { labels: null }, { inputs: null }]) {
      const answer = await fleet.admin('PATCH', '/v1/clients/unchanged', body, { 'if-match': '"v1"' });
      expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
    }
    const calls = (await fleet.calls('unchanged')).calls;
    await Promise.all(Array.from({ length: 10 }, () => fleet.admin('POST', '/v1/clients/unchanged/enable')));
    expect((await fleet.admin('GET', '/v1/clients/unchanged')).body.version).toBe(1);
    expect((await fleet.calls('unchanged')).calls).toBe(calls);
  });

  it('stops a client whatever else is being changed about it', async () => {
    await fleet.register('busy');
    const patches = Array.from({ length: 10 }, (_, i) =>
      fleet.admin('PATCH', '/v1/clients/busy', { labels: { n: String(i) } }, { 'if-match': '*' }),
    );
    const disabled = await fleet.admin('POST', '/v1/clients/busy/disable');
    await Promise.all(patches);
    expect(disabled.status).toBe(200);
    expect((await fleet.admin('GET', '/v1/clients/busy')).body.condition).toBe('disabled');
  });

  it('takes new secrets for a client whose stored ones cannot be opened any more', async () => {
    await fleet.register('mended');
    await runSql(fleet.database.url, `UPDATE clients SET sealed_inputs = 'nonsense' WHERE name = 'mended'`);
    const patch = (given: object) => fleet.admin('PATCH', '/v1/clients/mended', { inputs: given }, { 'if-match': '*' });
    expect(await patch({ secret: 'secret-of-mended' })).toMatchObject({
      status: 422,
      body: { code: 'invalid_inputs' },
    });
    expect(await patch({ key: 'key-of-mended', secret: 'secret-of-mended' })).toMatchObject({ status: 200 });
  });
});
