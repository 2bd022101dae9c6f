import { type Fleet, until } from './fleet';
import { acme, type Room, startRoom } from './own-definitions';

describe('a client and the versions of its definition', () => {
  let room: Room;
  let fleet: Fleet;
  beforeAll(async () => {
    room = await startRoom();
    fleet = room.fleet;
  });
  afterAll(() => room.close());

  it('a changed definition leaves a client on its version, renewals included, and new clients get the new one', async () => {
    room.issuer.answer = () => ({ body: { access_token: 'a-token-that-lives-shortly', expires_in: 3 } });
    await room.create(acme('one', { id: 'pinned' }));
    await room.register('stays', 'pinned');
    const changed = await room.change('pinned', acme('two', { id: 'pinned' }), '"v1"');
    expect(changed).toMatchObject({ status: 200, body: { version: 2, title: 'Acme two' } });
    expect(changed.headers.get('etag')).toBe('"v2"');
    expect(await room.register('comes-later', 'pinned')).toMatchObject({ body: { provider_version: 2 } });
    const before = room.marksOf('stays').length;
    await until(
      async () => room.marksOf('stays'),
      (marks) => marks.length >= before + 2,
    );
    await room.patch('stays', { inputs: { secret: 'another' } });
    expect(new Set(room.marksOf('stays'))).toEqual(new Set(['one']));
    expect(new Set(room.marksOf('comes-later'))).toEqual(new Set(['two']));
    const [stays, later] = [await room.get('/v1/clients/stays'), await room.get('/v1/clients/comes-later')];
    expect(stays).toMatchObject({ provider_version: 1, provider_version_latest: 2 });
    expect(later.provider_version_latest).toBeUndefined();
    const listed = (await room.get('/v1/clients?provider=pinned')).items;
    expect(listed.map((item: any) => item.provider_version_latest)).toEqual([undefined, 2]);
    const versions = (await room.get('/v1/providers/pinned/versions')).items;
    expect(versions.map(({ version, clients }: any) => [version, clients])).toEqual([
      [2, 1],
      [1, 1],
    ]);
    expect(await room.get('/v1/providers/pinned?version=1')).toMatchObject({ version: 1, title: 'Acme one' });
    for (const name of ['stays', 'comes-later']) await fleet.admin('DELETE', `/v1/clients/${name}`);
  });

  it('a client is moved only once the new version brought a token, and is as it was when it did not', async () => {
    await room.create(acme('one', { id: 'moving' }));
    await room.change('moving', acme('two', { id: 'moving' }));
    room.issuer.answer = ({ headers }) =>
      headers['x-mark'] === 'two'
        ? { status: 401, body: { error: 'invalid_client' } }
        : { body: { access_token: 'a-token-of-version-one', expires_in: 300 } };
    await room.register('moves', 'moving', { provider_version: 1 });
    const before = await room.get('/v1/clients/moves');
    expect(await room.patch('moves', { provider_version: 2 })).toMatchObject({
      status: 422,
      body: { code: 'credentials_refused' },
    });
    expect(room.marksOf('moves')).toEqual(['one', 'two']);
    expect(await room.get('/v1/clients/moves')).toMatchObject({
      ...before,
      ...{ runway_seconds: expect.anything() },
      expires_at: expect.anything(),
      next_renewal_at: expect.anything(),
    });
    expect((await fleet.token('moves', room.key, { broker: 1 })).body.access_token).toBe('a-token-of-version-one');

    room.issuer.answer = () => ({ body: { access_token: 'a-token-of-version-two', expires_in: 300 } });
    expect(await room.patch('moves', { provider_version: 2 })).toMatchObject({
      status: 200,
      body: { provider_version: 2, secret_version: 2, version: 2, condition: 'fresh' },
    });
    expect(room.marksOf('moves')).toEqual(['one', 'two', 'two']);
    for (const broker of [0, 1]) {
      await until(
        () => fleet.token('moves', room.key, { broker }),
        ({ body }) => body.access_token === 'a-token-of-version-two',
      );
    }
    expect((await room.audit('client:moves'))[0]).toEqual([
      'client.updated',
      {
        provider_version: { from: 1, to: 2 },
        inputs: { base_url: room.issuer.url, client: 'moves' },
        secret_inputs: ['secret'],
      },
    ]);
    expect(await room.patch('moves', { provider_version: 3 })).toMatchObject({
      status: 422,
      body: { code: 'unknown_provider', errors: [{ pointer: '/provider_version' }] },
    });
    for (const provider_version of [0, '1', null, 1.5, 2 ** 40]) {
      expect(await room.patch('moves', { provider_version })).toMatchObject({ status: 400 });
    }
  });

  it('a client is moved together with the inputs that the new version asks for', async () => {
    await room.create(acme('one', { id: 'grows' }));
    const more = { base_url: { format: 'url' }, client: {}, tenant: {}, secret: { secret: true } };
    await room.change('grows', acme('two', { id: 'grows', inputs: more }));
    await room.register('grown', 'grows', { provider_version: 1 });
    expect(await room.patch('grown', { provider_version: 2 })).toMatchObject({
      status: 422,
      body: { code: 'invalid_inputs', errors: [{ pointer: '/inputs/tenant', detail: 'is missing' }] },
    });
    expect(await room.patch('grown', { provider_version: 2, inputs: { tenant: 't' } })).toMatchObject({
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
      { values: { same: '{{inputs.secret}}' }, token: { value: '{{values.same}}', expiry: [{ fixed_s: 60 }] } },
      /what services get/,
    ],
    ['is no secret any more', { inputs: { base_url: { format: 'url' }, client: {}, secret: {} } }, /not be a secret/],
  ])('no stored secret is taken over by a version in which it %s', async (what, different, reason) => {
    const id = what.replaceAll(' ', '-');
    expect(await room.create(acme('one', { id }))).toMatchObject({ status: 201 });
    await room.register(`c-${id}`, id);
    const changed = await room.change(id, acme('two', { id, ...different }));
    expect(changed).toMatchObject({ status: 200 });
    const answer = await room.patch(`c-${id}`, { provider_version: 2 }, '?verify=false');
    expect(answer).toMatchObject({
      status: 422,
      body: {
        code: 'secrets_required',
        errors: [{ pointer: '/inputs/secret', detail: expect.stringMatching(reason) }],
      },
    });
    const given = await room.patch(
      `c-${id}`,
      { provider_version: 2, inputs: { secret: 'a-new-one' } },
      '?verify=false',
    );
    expect(given).toMatchObject({ status: 200, body: { provider_version: 2 } });
  });

  it('a definition altered in PostgreSQL serves nobody, says why, and can be left for another version', async () => {
    for (const id of ['altered', 'intact']) {
      await room.create(acme('one', { id }));
      await room.register(`of-${id}`, id);
    }
    await room.sql(
      `UPDATE provider_versions SET source = replace(source, 'Bearer', 'Barer') WHERE provider = 'altered'`,
    );
    // Neither has any replica a token of it, nor has the new one ever seen the definition.
    for (const name of ['of-altered', 'of-intact']) {
      await fleet.admin('POST', `/v1/clients/${name}/disable`);
    }
    await Promise.all(fleet.brokers.splice(0).map((broker) => broker.stop()));
    await fleet.addBroker();
    await fleet.addBroker();
    for (const name of ['of-altered', 'of-intact']) await fleet.admin('POST', `/v1/clients/${name}/enable`);
    await until(
      () => fleet.token('of-intact', room.key),
      ({ status }) => status === 200,
    );
    const refused = await until(
      () => fleet.token('of-altered', room.key),
      ({ body }) => body.reason === 'cannot_open',
    );
    expect(refused).toMatchObject({ status: 503, body: { hint: expect.stringContaining('provider_version') } });
    expect(await fleet.admin('GET', '/v1/providers/altered')).toMatchObject({
      status: 409,
      body: { code: 'cannot_open', detail: expect.stringContaining('changed by hand') },
    });
    const listed = (await room.get('/v1/providers?limit=200')).items.filter(({ fault }: any) => fault !== undefined);
    expect(listed).toEqual([expect.objectContaining({ id: 'altered', fault: expect.any(String) })]);
    expect(
      (await fleet.admin('POST', '/v1/clients', { name: 'x', provider: 'altered', inputs: room.inputs('x') })).status,
    ).toBe(409);

    expect(await room.change('altered', acme('two', { id: 'altered' }))).toMatchObject({
      status: 200,
      body: { version: 2 },
    });
    expect(await room.patch('of-altered', { provider_version: 2 })).toMatchObject({
      status: 422,
      body: { code: 'invalid_inputs' },
    });
    const mended = await room.patch('of-altered', { provider_version: 2, inputs: { secret: 'again' } });
    expect(mended).toMatchObject({ status: 200, body: { condition: 'fresh' } });
  }, 60_000);
});
