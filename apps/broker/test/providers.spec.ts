import { Client } from 'pg';
import { type Fleet, startFleet, until } from './fleet';
import { type Issuer, startIssuer } from './issuer';

/** A definition by which the issuer can tell which version it was asked by. */
const acme = (mark: string, more: object = {}) => ({
  id: 'acme',
  title: `Acme ${mark}`,
  inputs: { base_url: { format: 'url' }, client: {}, secret: { secret: true } },
  steps: [
    {
      ...{ id: 'token', method: 'POST', url: '{{inputs.base_url}}/token', headers: { 'x-mark': mark } },
      body: { form: { client: '{{inputs.client}}', secret: '{{inputs.secret}}' } },
    },
  ],
  token: { value: '{{steps.token.body.access_token}}', expiry: [{ in: '{{steps.token.body.expires_in}}' }] },
  present: { headers: { authorization: 'Bearer {{token}}' } },
  ...more,
});
const yaml = { 'content-type': 'application/yaml' };

describe('/v1/providers', () => {
  let fleet: Fleet;
  let issuer: Issuer;
  let key: string;
  beforeAll(async () => {
    issuer = await startIssuer();
    fleet = await startFleet(2, { ALLOWED_PROVIDER_HOSTS: issuer.url });
    await fleet.admin('POST', '/v1/services', { name: 'reader' });
    await fleet.admin('POST', '/v1/grants', { service: 'reader', label: 'read=yes' });
    key = (await fleet.admin('POST', '/v1/services/reader/keys', {})).body.key;
  });
  afterAll(async () => {
    await fleet.stop();
    await issuer.close();
  });

  const create = (definition: object) => fleet.admin('POST', '/v1/providers', { definition });
  const change = (id: string, definition: object, etag = '*') =>
    fleet.admin('PUT', `/v1/providers/${id}`, { definition }, { 'if-match': etag });
  const inputs = (name: string) => ({ base_url: issuer.url, client: name, secret: `secret-of-${name}` });
  const register = async (name: string, provider: string, more: object = {}) => {
    const body = { name, provider, inputs: inputs(name), labels: { read: 'yes' }, ...more };
    const answer = await fleet.admin('POST', '/v1/clients', body);
    expect(answer).toMatchObject({ status: 201 });
    return answer;
  };
  const patch = (name: string, body: object, query = '') =>
    fleet.admin('PATCH', `/v1/clients/${name}${query}`, body, { 'if-match': '*' });
  const get = async (path: string) => (await fleet.admin('GET', path)).body;
  const audit = async (target: string) =>
    (await get(`/v1/audit?target=${target}`)).items.map((row: { action: string; detail: object }) => [
      row.action,
      row.detail,
    ]);
  /** By which versions the issuer was asked for that client. */
  const marksOf = (name: string) =>
    issuer.received
      .filter(({ body }) => new URLSearchParams(body).get('client') === name)
      .map(({ headers }) => headers['x-mark']);
  const sql = async (text: string) => {
    const client = new Client({ connectionString: fleet.database.url });
    await client.connect();
    await client.query(text).finally(() => client.end());
  };

  it('takes a definition as YAML, as YAML in JSON and as JSON, and gives back the text as it was given', async () => {
    const source = `# Our own\n${JSON.stringify(acme('yaml', { id: 'as-yaml' }))}\n`;
    const made = await fleet.admin('POST', '/v1/providers', source, yaml);
    expect(made).toMatchObject({ status: 201, body: { id: 'as-yaml', version: 1, preset: false, warnings: [] } });
    expect(made.headers.get('location')).toBe('/v1/providers/as-yaml');
    expect(made.headers.get('etag')).toBe('"v1"');
    const inJson = await fleet.admin('POST', '/v1/providers', { source: source.replace('as-yaml', 'in-json') });
    expect(inJson).toMatchObject({
      status: 201,
      body: { id: 'in-json', source: expect.stringMatching(/^# Our own\n/) },
    });
    expect(await create(acme('json', { id: 'as-json' }))).toMatchObject({
      status: 201,
      body: { definition: acme('json', { id: 'as-json' }), source: expect.stringMatching(/^id: as-json\n/) },
    });
    expect(await get('/v1/providers/as-yaml')).toMatchObject({
      source,
      title: 'Acme yaml',
      created_by: 'admin:bootstrap',
    });
    expect(await audit('provider:as-yaml')).toEqual([
      ['provider.created', { version: 1, digest: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    ]);
  });

  it('lists presets and own definitions page by page, with what a form needs', async () => {
    await create(acme('listed', { id: 'listed' }));
    await register('of-listed', 'listed');
    const all: { id: string }[] = [];
    for (let cursor = ''; ;) {
      const page = await get(`/v1/providers?limit=2${cursor}`);
      all.push(...page.items);
      if (!page.next_cursor) break;
      cursor = `&cursor=${page.next_cursor}`;
    }
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.find(({ id }) => id === 'capillary')).toMatchObject({
      ...{ title: 'Capillary', preset: true, version: 1, clients: 0 },
      inputs: { secret: { secret: true }, base_url: { format: 'url' } },
    });
    expect(all.find(({ id }) => id === 'listed')).toMatchObject({ preset: false, clients: 1, inputs: { client: {} } });
  });

  it('a changed definition leaves a client on its version, renewals included, and new clients get the new one', async () => {
    issuer.answer = () => ({ body: { access_token: 'a-token-that-lives-shortly', expires_in: 3 } });
    await create(acme('one', { id: 'pinned' }));
    await register('stays', 'pinned');
    const changed = await change('pinned', acme('two', { id: 'pinned' }), '"v1"');
    expect(changed).toMatchObject({ status: 200, body: { version: 2, title: 'Acme two' } });
    expect(changed.headers.get('etag')).toBe('"v2"');
    expect(await register('comes-later', 'pinned')).toMatchObject({ body: { provider_version: 2 } });
    const before = marksOf('stays').length;
    await until(
      async () => marksOf('stays'),
      (marks) => marks.length >= before + 2,
    );
    await patch('stays', { inputs: { secret: 'another' } });
    expect(new Set(marksOf('stays'))).toEqual(new Set(['one']));
    expect(new Set(marksOf('comes-later'))).toEqual(new Set(['two']));
    const [stays, later] = [await get('/v1/clients/stays'), await get('/v1/clients/comes-later')];
    expect(stays).toMatchObject({ provider_version: 1, provider_version_latest: 2 });
    expect(later.provider_version_latest).toBeUndefined();
    const listed = (await get('/v1/clients?provider=pinned')).items;
    expect(listed.map((item: any) => item.provider_version_latest)).toEqual([undefined, 2]);
    const versions = (await get('/v1/providers/pinned/versions')).items;
    expect(versions.map(({ version, clients }: any) => [version, clients])).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect(await get('/v1/providers/pinned?version=1')).toMatchObject({ version: 1, title: 'Acme one' });
    for (const name of ['stays', 'comes-later']) await fleet.admin('DELETE', `/v1/clients/${name}`);
  });

  it('a client is moved only once the new version brought a token, and is as it was when it did not', async () => {
    await create(acme('one', { id: 'moving' }));
    await change('moving', acme('two', { id: 'moving' }));
    issuer.answer = ({ headers }) =>
      headers['x-mark'] === 'two'
        ? { status: 401, body: { error: 'invalid_client' } }
        : { body: { access_token: 'a-token-of-version-one', expires_in: 300 } };
    await register('moves', 'moving', { provider_version: 1 });
    const before = await get('/v1/clients/moves');
    expect(await patch('moves', { provider_version: 2 })).toMatchObject({
      status: 422,
      body: { code: 'credentials_refused' },
    });
    expect(marksOf('moves')).toEqual(['one', 'two']);
    expect(await get('/v1/clients/moves')).toMatchObject({
      ...before,
      ...{ runway_seconds: expect.anything() },
      expires_at: expect.anything(),
      next_renewal_at: expect.anything(),
    });
    expect((await fleet.token('moves', key, { broker: 1 })).body.access_token).toBe('a-token-of-version-one');

    issuer.answer = () => ({ body: { access_token: 'a-token-of-version-two', expires_in: 300 } });
    expect(await patch('moves', { provider_version: 2 })).toMatchObject({
      status: 200,
      body: { provider_version: 2, secret_version: 2, version: 2, condition: 'fresh' },
    });
    expect(marksOf('moves')).toEqual(['one', 'two', 'two']);
    for (const broker of [0, 1]) {
      await until(
        () => fleet.token('moves', key, { broker }),
        ({ body }) => body.access_token === 'a-token-of-version-two',
      );
    }
    expect((await audit('client:moves'))[0]).toEqual([
      'client.updated',
      {
        provider_version: { from: 1, to: 2 },
        inputs: { base_url: issuer.url, client: 'moves' },
        secret_inputs: ['secret'],
      },
    ]);
    expect(await patch('moves', { provider_version: 3 })).toMatchObject({
      status: 422,
      body: { code: 'unknown_provider', errors: [{ pointer: '/provider_version' }] },
    });
    for (const provider_version of [0, '1', null, 1.5, 2 ** 40]) {
      expect(await patch('moves', { provider_version })).toMatchObject({ status: 400 });
    }
  });

  it('a client is moved together with the inputs that the new version asks for', async () => {
    await create(acme('one', { id: 'grows' }));
    const more = { base_url: { format: 'url' }, client: {}, tenant: {}, secret: { secret: true } };
    await change('grows', acme('two', { id: 'grows', inputs: more }));
    await register('grown', 'grows', { provider_version: 1 });
    expect(await patch('grown', { provider_version: 2 })).toMatchObject({
      status: 422,
      body: { code: 'invalid_inputs', errors: [{ pointer: '/inputs/tenant', detail: 'is missing' }] },
    });
    expect(await patch('grown', { provider_version: 2, inputs: { tenant: 't' } })).toMatchObject({
      status: 200,
      body: { provider_version: 2, inputs: { tenant: 't', client: 'grown' } },
    });
  });

  it.each<[string, object, RegExp]>([
    [
      'goes to another host',
      {
        steps: [
          {
            id: 'token',
            method: 'POST',
            url: 'https://else.example/token',
            body: { form: { secret: '{{inputs.secret}}' } },
          },
        ],
      },
      /the host changes/,
    ],
    [
      'is handed to services',
      { present: { headers: { authorization: 'Bearer {{token}}', x: '{{inputs.secret}}' } } },
      /what services get/,
    ],
    [
      'takes the place of the token',
      { token: { value: '{{inputs.secret}}', expiry: [{ fixed_s: 60 }] } },
      /what services get/,
    ],
    ['is no secret any more', { inputs: { base_url: { format: 'url' }, client: {}, secret: {} } }, /not be a secret/],
  ])('no stored secret is taken over by a version in which it %s', async (what, different, reason) => {
    const id = what.replaceAll(' ', '-');
    expect(await create(acme('one', { id }))).toMatchObject({ status: 201 });
    await register(`c-${id}`, id);
    const changed = await change(id, acme('two', { id, ...different }));
    expect(changed).toMatchObject({ status: 200 });
    const answer = await patch(`c-${id}`, { provider_version: 2 }, '?verify=false');
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'secrets_required',
        errors: [{ pointer: '/inputs/secret', detail: expect.stringMatching(reason) }],
      },
    });
    const given = await patch(`c-${id}`, { provider_version: 2, inputs: { secret: 'a-new-one' } }, '?verify=false');
    expect(given).toMatchObject({ status: 200, body: { provider_version: 2 } });
  });

  it('a definition altered in PostgreSQL serves nobody, says why, and can be left for another version', async () => {
    for (const id of ['altered', 'intact']) {
      await create(acme('one', { id }));
      await register(`of-${id}`, id);
    }
    await sql(`UPDATE provider_versions SET source = replace(source, 'Bearer', 'Barer') WHERE provider = 'altered'`);
    // Neither has any replica a token of it, nor has the new one ever seen the definition.
    for (const name of ['of-altered', 'of-intact']) {
      await fleet.admin('POST', `/v1/clients/${name}/disable`);
    }
    await Promise.all(fleet.brokers.splice(0).map((broker) => broker.stop()));
    await fleet.addBroker();
    await fleet.addBroker();
    for (const name of ['of-altered', 'of-intact']) await fleet.admin('POST', `/v1/clients/${name}/enable`);
    await until(
      () => fleet.token('of-intact', key),
      ({ status }) => status === 200,
    );
    const refused = await until(
      () => fleet.token('of-altered', key),
      ({ body }) => body.reason === 'cannot_open',
    );
    expect(refused).toMatchObject({ status: 503, body: { hint: expect.stringContaining('provider_version') } });
    expect(await fleet.admin('GET', '/v1/providers/altered')).toMatchObject({
      status: 409,
      body: { code: 'cannot_open', detail: expect.stringContaining('changed by hand') },
    });
    const listed = (await get('/v1/providers?limit=200')).items.filter(({ fault }: any) => fault !== undefined);
    expect(listed).toEqual([expect.objectContaining({ id: 'altered', fault: expect.any(String) })]);
    expect(
      (await fleet.admin('POST', '/v1/clients', { name: 'x', provider: 'altered', inputs: inputs('x') })).status,
    ).toBe(409);

    expect(await change('altered', acme('two', { id: 'altered' }))).toMatchObject({
      status: 200,
      body: { version: 2 },
    });
    expect(await patch('of-altered', { provider_version: 2 })).toMatchObject({
      status: 422,
      body: { code: 'invalid_inputs' },
    });
    const mended = await patch('of-altered', { provider_version: 2, inputs: { secret: 'again' } });
    expect(mended).toMatchObject({ status: 200, body: { condition: 'fresh' } });
  }, 60_000);

  it('lets one of many creations, and one of many changes, at all replicas at once through', async () => {
    const [one, two] = fleet.brokers;
    const send = (i: number, method: string, path: string, body: unknown, headers = {}) => {
      fleet.brokers.splice(0, 2, ...(i % 2 ? [one!, two!] : [two!, one!]));
      return fleet.admin(method, path, body, headers);
    };
    const created = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        send(i, 'POST', '/v1/providers', { definition: acme(`n${i}`, { id: 'raced' }) }),
      ),
    );
    expect(created.map(({ status }) => status).sort()).toEqual([201, ...Array<number>(7).fill(409)]);
    const changed = await Promise.all(
      Array.from({ length: 8 }, (_, i) =>
        send(i, 'PUT', '/v1/providers/raced', { definition: acme(`c${i}`, { id: 'raced' }) }, { 'if-match': '"v1"' }),
      ),
    );
    expect(changed.map(({ status }) => status).sort()).toEqual([200, ...Array<number>(7).fill(412)]);
    expect((await audit('provider:raced')).map(([action]: [string]) => action)).toEqual([
      'provider.changed',
      'provider.created',
    ]);
    fleet.brokers.splice(0, 2, one!, two!);
  });

  it('is deleted only when no client uses it, whatever its version', async () => {
    await create(acme('one', { id: 'used' }));
    await register('uses-it', 'used');
    await change('used', acme('two', { id: 'used' }));
    expect(await fleet.admin('DELETE', '/v1/providers/used')).toMatchObject({
      status: 409,
      body: { code: 'provider_in_use' },
    });
    await fleet.admin('DELETE', '/v1/clients/uses-it');
    expect((await fleet.admin('DELETE', '/v1/providers/used')).status).toBe(204);
    for (const [method, path, body] of [
      ['GET', '/v1/providers/used'],
      ['GET', '/v1/providers/used?version=1'],
      ['GET', '/v1/providers/used/versions'],
      ['DELETE', '/v1/providers/used'],
      ['PUT', '/v1/providers/used', { definition: acme('x', { id: 'used' }) }],
    ] as const) {
      const answer = await fleet.admin(method, path, body, { 'if-match': '*' });
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect(await fleet.admin('POST', '/v1/clients', { name: 'x', provider: 'used', inputs: {} })).toMatchObject({
      status: 422,
      body: { code: 'unknown_provider', hint: expect.stringContaining('capillary') },
    });
  });

  it('is changed only by who saw its present version, keeps its id, and presets are changed by nobody', async () => {
    await create(acme('one', { id: 'guarded' }));
    const definition = acme('two', { id: 'guarded' });
    expect(await fleet.admin('PUT', '/v1/providers/guarded', { definition })).toMatchObject({
      status: 428,
      body: { code: 'precondition_required' },
    });
    expect(await change('guarded', definition, '"v2"')).toMatchObject({ status: 412 });
    expect(await change('guarded', acme('two', { id: 'other' }))).toMatchObject({
      status: 422,
      body: { code: 'invalid_definition', errors: [{ pointer: '/id' }] },
    });
    expect(await create(acme('again', { id: 'guarded' }))).toMatchObject({
      status: 409,
      body: { code: 'already_exists' },
    });
    for (const answer of [
      await create(acme('mine', { id: 'capillary' })),
      await change('capillary', acme('mine', { id: 'capillary' })),
      await fleet.admin('DELETE', '/v1/providers/capillary'),
    ]) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'provider_is_preset' } });
    }
    expect((await get('/v1/providers/guarded')).version).toBe(1);
  });

  it('tells every fault with its pointer, and where known its line, with or without storing', async () => {
    const bad = { ...acme('bad'), code: 'x', steps: [] };
    const answer = await create(bad);
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_definition' } });
    expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(
      expect.arrayContaining(['/code', '/steps']),
    );
    const tried = await fleet.admin('POST', '/v1/providers/validations', { definition: bad });
    expect(tried).toMatchObject({ status: 200, body: { ok: false, faults: answer.body.errors, warnings: [] } });
    expect(await fleet.admin('POST', '/v1/providers/validations', 'id: acme\ninputs: {\n', yaml)).toMatchObject({
      status: 200,
      body: { ok: false, faults: [{ pointer: '', detail: expect.stringContaining('YAML'), line: 3 }] },
    });
    expect(
      await fleet.admin('POST', '/v1/providers/validations', { definition: acme('good', { id: 'nowhere' }) }),
    ).toMatchObject({
      status: 200,
      body: { ok: true, faults: [] },
    });
    expect((await fleet.admin('GET', '/v1/providers/nowhere')).status).toBe(404);
  });
});
