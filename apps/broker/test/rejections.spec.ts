import { type Answer, ask, type Fleet, startFleet, until } from './fleet';

describe('POST /v1/clients/{name}/token/rejections', () => {
  let fleet: Fleet;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet(2);
    for (const name of ['eu', 'other', 'many', 'off']) await fleet.register(name);
    key = await fleet.service('checkout', 'eu', 'many', 'off');
  });
  afterAll(() => fleet.stop());

  const reject = (
    client: string,
    etag: unknown,
    { broker = 0, as = key, body = { etag } as unknown } = {},
  ): Promise<Answer> =>
    ask(`${fleet.brokers[broker]!.url}/v1/clients/${client}/token/rejections`, 'POST', body, {
      authorization: `Bearer ${as}`,
    });
  const etagOf = async (client: string, broker = 0) =>
    (await fleet.token(client, key, { broker })).headers.get('etag')!;
  /** A token rests for half a second after it came. */
  const rested = () => new Promise((resolve) => setTimeout(resolve, 600));

  it('replaces the token that is served, for all replicas, and serves it until then', async () => {
    const etag = await etagOf('eu');
    await rested();
    const before = (await fleet.calls('eu')).calls;
    await fleet.control('PUT', '/clients/key-of-eu/modes', { latency_ms: { value: 300, times: 1 } });
    const answer = await reject('eu', etag);
    expect(answer).toMatchObject({ status: 202, body: { renewal: 'started' } });
    expect(answer.headers.get('cache-control')).toBe('no-store');
    expect(await reject('eu', etag, { broker: 1 })).toMatchObject({ status: 202, body: { renewal: 'under_way' } });
    expect(await etagOf('eu', 1)).toBe(etag);
    const next = await until(
      () => etagOf('eu', 1),
      (now) => now !== etag,
    );
    expect(await etagOf('eu')).toBe(next);
    expect((await fleet.calls('eu')).calls).toBe(before + 1);
    expect(await reject('eu', etag)).toMatchObject({ status: 202, body: { renewal: 'already_replaced' } });
    await rested();
    const again = await reject('eu', next, { broker: 1 });
    expect(again).toMatchObject({ status: 202, body: { renewal: 'rate_limited' } });
    expect(again.body.retry_after).toBeGreaterThan(20);
    expect(again.headers.get('retry-after')).toBe(String(again.body.retry_after));
    expect((await fleet.calls('eu')).calls).toBe(before + 1);
  });

  it('said by a hundred at once to two replicas, asks the provider once', async () => {
    const etag = await etagOf('many');
    await rested();
    const before = (await fleet.calls('many')).calls;
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => reject('many', etag, { broker: i % 2 })));
    expect(answers.every(({ status }) => status === 202)).toBe(true);
    await until(
      () => etagOf('many'),
      (now) => now !== etag,
    );
    expect((await fleet.calls('many')).calls).toBe(before + 1);
  });

  it.each([
    ['no object', '"x"', ''],
    ['a list', '[]', ''],
    ['nothing in it', '{}', '/etag'],
    ['a number', '{"etag":7}', '/etag'],
    ['what is no etag', '{"etag":"\\"abc\\""}', '/etag'],
    ['half a quote', '{"etag":"\\"12"}', '/etag'],
    ['what is too long', `{"etag":"${'1'.repeat(21)}"}`, '/etag'],
    ['something else besides', '{"etag":"1","__proto__":{}}', '/__proto__'],
  ])('refuses a body that is %s', async (_, body, pointer) => {
    const { status, body: problem } = await reject('eu', '', { body });
    expect([status, problem.code]).toEqual([400, expect.stringMatching(/validation_failed|malformed_json/)]);
    if (pointer && problem.errors) expect(problem.errors[0].pointer).toBe(pointer);
  });

  it('refuses what is no JSON, and takes a tag that is weak, or without its quotes', async () => {
    expect(await reject('eu', '', { body: '{' })).toMatchObject({ status: 400, body: { code: 'malformed_json' } });
    const asText = await ask(`${fleet.brokers[0]!.url}/v1/clients/eu/token/rejections`, 'POST', 'x', {
      authorization: `Bearer ${key}`,
      'content-type': 'text/plain',
    });
    expect(asText).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
    for (const etag of ['W/"1"', '1', '"1"'])
      expect(await reject('eu', etag)).toMatchObject({ status: 202, body: { renewal: 'already_replaced' } });
  });

  it('lets in nobody who may not have the token', async () => {
    expect(await reject('eu', '"1"', { as: 'x' })).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    expect(await reject('other', '"1"')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect(await reject('nobody', '"1"')).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const admin = fleet.env['BOOTSTRAP_ADMIN_KEY']!;
    expect(await reject('eu', '"1"', { as: admin })).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    await fleet.admin('POST', '/v1/clients/off/disable');
    const off = await until(
      () => reject('off', '"1"'),
      ({ status }) => status !== 202,
    );
    expect(off).toMatchObject({ status: 409, body: { code: 'client_disabled' } });
  });

  it('is counted', async () => {
    const metrics = await Promise.all(fleet.brokers.map(async ({ url }) => (await fetch(`${url}/metrics`)).text()));
    const counted = (result: string) =>
      metrics.reduce(
        (n, text) => n + Number(new RegExp(`rejections_total{result="${result}"} (\\d+)`).exec(text)![1]),
        0,
      );
    expect(counted('started')).toBeGreaterThanOrEqual(2);
    expect(counted('already_replaced')).toBeGreaterThanOrEqual(1);
    expect(counted('rate_limited')).toBeGreaterThanOrEqual(1);
  });
});
