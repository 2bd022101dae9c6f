import type { Fleet } from './fleet';
import { acme, type Room, startRoom } from './own-definitions';

const yaml = { 'content-type': 'application/yaml' };

describe('/v1/providers', () => {
  let room: Room;
  let fleet: Fleet;
  beforeAll(async () => {
    room = await startRoom();
    fleet = room.fleet;
  });
  afterAll(() => room.close());

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
    expect(await room.create(acme('json', { id: 'as-json' }))).toMatchObject({
      status: 201,
      body: { definition: acme('json', { id: 'as-json' }), source: expect.stringMatching(/^id: as-json\n/) },
    });
    expect(await room.get('/v1/providers/as-yaml')).toMatchObject({
      source,
      title: 'Acme yaml',
      created_by: 'admin:bootstrap',
    });
    expect(await room.audit('provider:as-yaml')).toEqual([
      ['provider.created', { version: 1, digest: expect.stringMatching(/^[0-9a-f]{64}$/) }],
    ]);
  });

  it('lists presets and own definitions page by page, with what a form needs', async () => {
    await room.create(acme('listed', { id: 'listed' }));
    await room.register('of-listed', 'listed');
    const all: { id: string }[] = [];
    for (let cursor = ''; ;) {
      const page = await room.get(`/v1/providers?limit=2${cursor}`);
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
    expect((await room.audit('provider:raced')).map(([action]) => action)).toEqual([
      'provider.changed',
      'provider.created',
    ]);
    fleet.brokers.splice(0, 2, one!, two!);
  });

  it('is deleted only when no client uses it, whatever its version', async () => {
    await room.create(acme('one', { id: 'used' }));
    await room.register('uses-it', 'used');
    await room.change('used', acme('two', { id: 'used' }));
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
    await room.create(acme('one', { id: 'guarded' }));
    const definition = acme('two', { id: 'guarded' });
    expect(await fleet.admin('PUT', '/v1/providers/guarded', { definition })).toMatchObject({
      status: 428,
      body: { code: 'precondition_required' },
    });
    expect(await room.change('guarded', definition, '"v2"')).toMatchObject({ status: 412 });
    expect(await room.change('guarded', acme('two', { id: 'other' }))).toMatchObject({
      status: 422,
      body: { code: 'invalid_definition', errors: [{ pointer: '/id' }] },
    });
    expect(await room.create(acme('again', { id: 'guarded' }))).toMatchObject({
      status: 409,
      body: { code: 'already_exists' },
    });
    for (const answer of [
      await room.create(acme('mine', { id: 'capillary' })),
      await room.change('capillary', acme('mine', { id: 'capillary' })),
      await fleet.admin('DELETE', '/v1/providers/capillary'),
    ]) {
      expect(answer).toMatchObject({ status: 409, body: { code: 'provider_is_preset' } });
    }
    expect((await room.get('/v1/providers/guarded')).version).toBe(1);
  });

  it('tells every fault with its pointer, and where known its line, with or without storing', async () => {
    const bad = { ...acme('bad'), code: 'x', steps: 'none' };
    const answer = await room.create(bad);
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
