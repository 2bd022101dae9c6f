import { type Fleet, startFleet, until } from './fleet';

/** What the provider does, and what becomes of a client registered meanwhile. */
const refused: [string, object, string][] = [
  ['answers 500', { outage: { status: 500 } }, 'provider_unavailable'],
  ['answers 503 with a page of HTML', { outage: { status: 503, body: 'html' } }, 'provider_unavailable'],
  ['answers 200 with a page of HTML', { html_200: true }, 'provider_unavailable'],
  ['answers 200 with nothing', { empty_200: true }, 'provider_unavailable'],
  [
    'answers 200 with an error that nobody knows',
    { errors_in_200: { code: 9, message: 'odd' } },
    'provider_unavailable',
  ],
  ['breaks off in the middle', { truncated: true }, 'provider_unavailable'],
  ['answers with a megabyte', { oversized: true }, 'provider_unavailable'],
  ['answers with a gzip bomb', { gzip_bomb: true }, 'provider_unavailable'],
  ['resets the connection', { reset_before_headers: true }, 'provider_unavailable'],
  ['resets the connection after it issued a token', { reset_after_issuing: true }, 'provider_unavailable'],
  ['accepts and stays silent', { silence: true }, 'provider_unavailable'],
  ['throttles without saying for how long', { throttle: { retry_after: 'absent' } }, 'throttled'],
  ['throttles for an absurd time', { throttle: { retry_after: 'absurd' } }, 'throttled'],
  ['issues a token of 0 s', { ttl_value: 0 }, 'provider_misconfigured'],
  ['issues a token of -1 s', { ttl_value: -1 }, 'provider_misconfigured'],
  ['refuses every call', { flapping_refusal: { every: 1 } }, 'credentials_refused'],
];

const taken: [string, object][] = [
  ['a life as a string', { ttl_value: '300' }],
  ['no life', { ttl_missing: true }],
  ['null for a life', { ttl_value: null }],
  ['a life of 30,000 years', { ttl_value: 1e12 }],
  ['one live token at a time', { single_live: true }],
  ['a raw control character in the token', { raw_control_character: true }],
];

describe('a provider that', () => {
  let fleet: Fleet;
  let key: string;
  const nameOf = (what: string) =>
    what
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 60);

  beforeAll(async () => {
    fleet = await startFleet(1, { LOG_LEVEL: 'info' });
    await fleet.admin('POST', '/v1/services', { name: 'reader' });
    await fleet.admin('POST', '/v1/grants', { service: 'reader', label: 'quirk=yes' });
    key = (await fleet.admin('POST', '/v1/services/reader/keys', {})).body.key;
    // All at once: they take their time side by side. So many fail that the breaker opens, and each is seen all the same.
    const all = [
      ...refused.map(([what, modes]) => ({ what, modes })),
      ...taken.map(([what, modes]) => ({ what, modes })),
    ];
    await Promise.all(
      all.map(({ what, modes }) => fleet.register(nameOf(what), { verify: false, modes, labels: { quirk: 'yes' } })),
    );
  });
  afterAll(() => fleet.stop());

  it.each(refused)('%s leaves the client failing with a reason, asked less and less', async (what, _modes, code) => {
    const name = nameOf(what);
    const { body } = await until(
      () => fleet.admin('GET', `/v1/clients/${name}`),
      (answer) => answer.body.last_failure?.code === code,
      15_000,
    );
    expect(['failing', 'credentials_refused']).toContain(body.condition);
    expect(body.last_failure).toMatchObject({ message: expect.any(String), hint: expect.any(String) });
    expect(await fleet.token(name, key)).toMatchObject({ status: 503, body: { reason: code } });
    const { calls } = await fleet.calls(name);
    const seconds = (Date.now() - Date.parse(body.created_at)) / 1_000;
    // Doubling from at least 250 ms: no more than so many attempts fit into the time. One more where a cut is repeated.
    expect(calls).toBeLessThanOrEqual(3 + Math.log2(1 + seconds / 0.25));
  });

  it.each(taken)('issues tokens with %s is asked once and its token served', async (what) => {
    const name = nameOf(what);
    const answer = await until(
      () => fleet.token(name, key),
      ({ status }) => status === 200,
      15_000,
    );
    expect(answer.body.expires_in).toBeGreaterThan(0);
    expect((await fleet.calls(name)).calls).toBe(1);
  });

  it('throttles with Retry-After is left alone until then', async () => {
    await fleet.register('patient', {
      ...{ verify: false, elsewhere: true },
      modes: { throttle: { retry_after: 'seconds', seconds: 3, times: 1 } },
    });
    await until(
      () => fleet.admin('GET', '/v1/clients/patient'),
      ({ body }) => body.condition === 'fresh',
      15_000,
    );
    const [first, second] = (await fleet.control('GET', '/clients/key-of-patient')).recent_calls;
    expect(second.at - first.at).toBeGreaterThanOrEqual(3_000);
  });

  it('refuses once and then not is taken for what it is: no client is condemned for one refusal', async () => {
    const modes = { flapping_refusal: { every: 1, times: 1 } };
    await fleet.register('flapping', { verify: false, modes, elsewhere: true });
    const seen = new Set<string>();
    await until(
      () => fleet.admin('GET', '/v1/clients/flapping'),
      ({ body }) => seen.add(body.condition) && body.condition === 'fresh',
    );
    expect(seen).not.toContain('credentials_refused');
  });

  it('gives the same token again is not asked in a hot loop', async () => {
    await fleet.register('sticky', {
      ttlSeconds: 8,
      elsewhere: true,
      modes: { same_token_again: { life: 'remaining' } },
    });
    await new Promise((resolve) => setTimeout(resolve, 8_000));
    expect((await fleet.calls('sticky')).calls).toBeLessThanOrEqual(8);
  }, 20_000);
});
