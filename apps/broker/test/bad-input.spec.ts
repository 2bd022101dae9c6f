import { ask, type Fleet, startFleet } from './fleet';
import { acme } from './own-definitions';

describe('bad input', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet();
  });
  afterAll(() => fleet.stop());

  const create = (body: object, query = '') =>
    fleet.admin('POST', `/v1/clients${query}`, { provider: 'capillary', ...body });

  it.each<[string, object, number, object]>([
    ['an unknown provider', { name: 'x', provider: 'nobody', inputs: {} }, 422, { code: 'unknown_provider' }],
    [
      'missing and surplus inputs',
      { name: 'x', inputs: { base_url: 'https://eu.api.capillarytech.com', foo: 'x' } },
      422,
      {
        code: 'invalid_inputs',
        errors: expect.arrayContaining(
          ['/inputs/key', '/inputs/secret', '/inputs/foo'].map((pointer) => expect.objectContaining({ pointer })),
        ),
      },
    ],
    [
      'a base_url that the definition does not allow',
      { name: 'x', inputs: { base_url: 'https://evil.example', key: 'k', secret: 's' } },
      422,
      {
        code: 'invalid_inputs',
        errors: [expect.objectContaining({ pointer: '/inputs/base_url' })],
      },
    ],
    [
      'a private base_url that the operator does not allow',
      { name: 'x', inputs: { base_url: 'http://127.0.0.1:1', key: 'k', secret: 's' } },
      422,
      {
        code: 'invalid_inputs',
        errors: [expect.objectContaining({ detail: expect.stringContaining('ALLOWED_PROVIDER_HOSTS') })],
      },
    ],
    [
      'a secret with control characters',
      { name: 'x', inputs: { base_url: 'https://eu.api.capillarytech.com', key: 'k', secret: 'a\r\nb' } },
      422,
      {
        code: 'invalid_inputs',
        errors: [expect.objectContaining({ pointer: '/inputs/secret' })],
      },
    ],
    [
      'a bad name and bad labels',
      { name: 'No Spaces', inputs: {}, labels: { a: 1 } },
      400,
      {
        code: 'validation_failed',
        errors: expect.arrayContaining(['/name', '/labels'].map((pointer) => expect.objectContaining({ pointer }))),
      },
    ],
    [
      'a property that there is not',
      { name: 'x', inputs: {}, secret: 's' },
      400,
      {
        errors: expect.arrayContaining([expect.objectContaining({ pointer: '/secret' })]),
      },
    ],
  ])('refuses %s with one clear problem', async (_, body, status, problem) => {
    const answer = await create(body);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({
      type: expect.stringMatching(/^\/docs\/errors\.md#/),
      request_id: expect.any(String),
      ...problem,
    });
    expect((await fleet.admin('GET', '/v1/clients/x')).status).toBe(404);
  });

  it.each<[string, string, Record<string, string>, number, string]>([
    ['malformed JSON', '{"name":', {}, 400, 'malformed_json'],
    [
      'another content type',
      'name=x',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'unsupported_media_type',
    ],
    ['plain text', 'x', { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    ['a body over the limit', JSON.stringify({ name: 'x'.repeat(70_000) }), {}, 413, 'body_too_large'],
    ['a query that there is not', '{}', {}, 400, 'validation_failed'],
  ])('refuses %s', async (_, body, headers, status, code) => {
    const answer = await fleet.admin('POST', '/v1/clients?verify=maybe', body, headers);
    expect(answer).toMatchObject({ status, body: { code, status } });
  });

  it.each<[string, string, unknown, number]>([
    ['GET', '/v1/clients/%00', undefined, 404],
    ['GET', '/v1/clients/%zz', undefined, 400],
    ['GET', `/v1/clients/${'x'.repeat(2_000)}`, undefined, 400],
    ['POST', '/v1/clients/%00/disable', undefined, 404],
    ['GET', '/v1/clients?q=%00', undefined, 400],
    ['GET', '/v1/clients?provider=%00', undefined, 400],
    ['GET', '/v1/clients?cursor=AA', undefined, 400],
    ['GET', '/v1/grants?cursor=YWJj', undefined, 400],
    ['GET', '/v1/grants?service=%00', undefined, 400],
    ['GET', '/v1/audit?target=%00', undefined, 400],
    ['DELETE', '/v1/grants/not-an-id', undefined, 404],
    ['POST', '/v1/grants', { service: 'x', client: null }, 400],
    ['POST', '/v1/grants', { service: 'x', client: 'a', label: 'b=c' }, 400],
    ['POST', '/v1/clients', { name: 'x', provider: 'capillary', inputs: {}, labels: null }, 400],
    ['POST', '/v1/clients', `{"name":"x","provider":"capillary","inputs":{},"__proto__":{"role":"admin"}}`, 400],
    [
      'POST',
      '/v1/clients',
      `{"name":"x","provider":"capillary","inputs":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
      400,
    ],
    ['POST', '/v1/services', { name: 'a\u0000b' }, 400],
  ])('%s %s is answered with a problem and not with a fault of ours', async (method, path, body, status) => {
    const answer = await fleet.admin(method, path, body);
    expect(answer).toMatchObject({ status, body: { status, code: expect.any(String) } });
    expect(answer.headers.get('content-type')).toContain('application/problem+json');
  });

  const withId = (id: string) => `{"id":"${id}","inputs":{},"steps":[],"token":{},"present":{}}`;
  const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const yaml = { 'content-type': 'application/yaml' };

  it.each<[string, string, Record<string, string>, number, string]>([
    ['no YAML', 'a: [1', yaml, 422, 'invalid_definition'],
    ['an empty text', '""', yaml, 422, 'invalid_definition'],
    ['a list', '- a\n- b\n', yaml, 422, 'invalid_definition'],
    ['a NUL', `${JSON.stringify(acme('x'))} # \0`, yaml, 422, 'invalid_definition'],
    [
      'an alias that multiplies',
      `a: &a [${'x,'.repeat(50)}]\nb: &b [${'*a,'.repeat(50)}]\nc: [${'*b,'.repeat(50)}]`,
      yaml,
      422,
      'invalid_definition',
    ],
    ['70 KB of YAML', `id: ${'x'.repeat(70_000)}`, yaml, 413, 'body_too_large'],
    ['70 KB of JSON', `{"source":"${'x'.repeat(70_000)}"}`, {}, 413, 'body_too_large'],
    ['YAML nested deep', `${'['.repeat(30_000)}${']'.repeat(30_000)}`, yaml, 422, 'invalid_definition'],
    [
      'YAML in blocks nested deep',
      Array.from({ length: 300 }, (_, i) => `${' '.repeat(i)}a:`).join('\n'),
      yaml,
      422,
      'invalid_definition',
    ],
    ['JSON nested 70 deep', `{"definition":${nested(70)}}`, {}, 422, 'invalid_definition'],
    ['JSON nested 9000 deep', `{"definition":${nested(9_000)}}`, {}, 422, 'invalid_definition'],
    [
      'half a surrogate pair',
      JSON.stringify({ source: `${JSON.stringify(acme('x'))} # \ud800` }),
      {},
      422,
      'invalid_definition',
    ],
    ['an id of the prototype', `{"definition":${withId('__proto__')}}`, {}, 422, 'invalid_definition'],
    ['a definition of __proto__', `{"definition":{"__proto__":{"id":"x"}}}`, {}, 400, 'malformed_json'],
    [
      'a definition of constructor',
      `{"definition":{"constructor":{"prototype":{"id":"x"}}}}`,
      {},
      400,
      'malformed_json',
    ],
    ['a constructor alone', `{"definition":{"constructor":"x","toString":1}}`, {}, 422, 'invalid_definition'],
    ['neither source nor definition', '{}', {}, 400, 'validation_failed'],
    ['both', `{"source":"x","definition":{}}`, {}, 400, 'validation_failed'],
    ['a source that is none', `{"source":["x"]}`, {}, 400, 'validation_failed'],
    ['a definition that is none', `{"definition":[1]}`, {}, 400, 'validation_failed'],
    ['a property that there is not', `{"definition":{},"force":true}`, {}, 400, 'validation_failed'],
    ['null', 'null', {}, 400, 'validation_failed'],
    ['a text', '"source"', {}, 400, 'validation_failed'],
  ])('takes no definition of %s, wherever one can be sent', async (_, body, headers, status, code) => {
    for (const [method, path] of [
      ['POST', '/v1/providers'],
      ['PUT', '/v1/providers/acme'],
      ['POST', '/v1/providers/validations'],
    ] as const) {
      const answer = await fleet.admin(method, path, body, { 'if-match': '*', ...headers });
      if (path.endsWith('validations') && status === 422)
        expect(answer).toMatchObject({ status: 200, body: { ok: false } });
      else expect(answer).toMatchObject({ status, body: { status, code } });
    }
  });

  it.each([
    ['GET', '/v1/providers/%00', 404],
    ['GET', '/v1/providers/__proto__', 404],
    ['GET', '/v1/providers/constructor', 404],
    ['GET', '/v1/providers/capillary?version=0', 400],
    ['GET', '/v1/providers/capillary?version=1.5', 400],
    ['GET', '/v1/providers/capillary?version=99999999999', 400],
    ['GET', '/v1/providers/capillary?version=2147483647', 404],
    ['GET', '/v1/providers/capillary/versions?cursor=eA', 400],
    ['GET', '/v1/providers?cursor=AA', 400],
    ['DELETE', '/v1/providers/%00', 404],
  ])('%s %s is answered with a problem too', async (method, path, status) => {
    expect(await fleet.admin(method, path)).toMatchObject({ status, body: { status, code: expect.any(String) } });
  });

  it('takes YAML where a definition can be sent, and nowhere else', async () => {
    for (const path of ['/v1/clients', '/v1/services']) {
      expect(await fleet.admin('POST', path, 'name: x', yaml)).toMatchObject({
        status: 415,
        body: { code: 'unsupported_media_type' },
      });
    }
  });

  it.each<[string, string, Record<string, string>, RegExp]>([
    ['JSON without definition', '{"id":"x"}', {}, /goes into { "definition": … }/],
    ['YAML called JSON', 'id: x', {}, /"Content-Type: application\/yaml"/],
    ['YAML called text/yaml', 'id: x', { 'content-type': 'text/yaml' }, /in YAML, "application\/yaml"/],
    ['text of another encoding', `{"source":"# M\ufffdller"}`, {}, /is not UTF-8/],
  ])('says how to send a definition to who sent %s', async (_, body, headers, words) => {
    const answer = await fleet.admin('POST', '/v1/providers', body, headers);
    expect(JSON.stringify(answer.body).replace(/\\"/g, '"')).toMatch(words);
  });

  it.each(['constructor', 'toString', 'hasOwnProperty'])('is not upset by an input called %s', async (name) => {
    const answer = await create({ name: 'x', inputs: { [name]: 'x' } });
    expect(answer).toMatchObject({ status: 422, body: { code: 'invalid_inputs' } });
  });

  it('answers every unknown route and method with a problem', async () => {
    for (const path of ['/v2/clients', '/v1/clients/a/b/c', '/']) {
      expect(await fleet.admin('GET', path)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    }
    expect((await ask(`${fleet.brokers[0]!.url}/v1/clients/%00`, 'GET', undefined, {})).status).toBe(401);
  });
});
