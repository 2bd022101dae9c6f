import { ask, type Fleet, startFleet, until } from './fleet';

describe('what ops sees', () => {
  let fleet: Fleet;
  let atStart: string;
  beforeAll(async () => {
    fleet = await startFleet();
    atStart = (await fleet.admin('GET', '/metrics')).body;
    await fleet.register('fine');
    await fleet.register('short', { ttlSeconds: 60 });
    await fleet.register('down', { verify: false, modes: { outage: 500 } });
    await fleet.register('refused', { verify: false, modes: { flapping_refusal: { every: 1 } } });
    await fleet.register('off');
    await fleet.admin('POST', '/v1/clients/off/disable');
  });
  afterAll(() => fleet.stop());

  it('every series of the contract, from the start', () => {
    const series = [
      ...['renewals_total', 'renewal_duration_seconds_count', 'provider_calls_total', 'breaker_state'].map(
        (name) => `tokenbroker_${name}{provider="capillary"`,
      ),
      ...['hit', 'miss', 'not_modified', 'refused'].map(
        (result) => `tokenbroker_tokens_served_total{result="${result}"}`,
      ),
      ...['renewal_lag_seconds_count', 'queue_due', 'queue_depth', 'cache_entries'].map(
        (name) => `tokenbroker_${name} `,
      ),
      ...['token_expiry_timestamp_seconds', 'token_runway_seconds', 'client_ready'].map(
        (name) => `# TYPE tokenbroker_${name} gauge`,
      ),
    ];
    expect(series.filter((name) => !atStart.includes(name))).toEqual([]);
  });

  it('how many clients are in which condition, which are in trouble, and what comes next', async () => {
    const { body } = await until(
      () => fleet.admin('GET', '/v1/summary'),
      ({ body: now }) => now.clients.failing === 1 && now.clients.credentials_refused === 1,
    );
    expect(body.clients).toEqual({ fresh: 2, renewing: 0, failing: 1, credentials_refused: 1, disabled: 1 });
    expect(body.total).toBe(5);
    expect(body.queue).toEqual({ depth: 4, due: expect.any(Number) });
    expect(body.least_runway).toHaveLength(2);
    const why = { runway_seconds: 0, at: expect.any(String), reason: expect.any(String) };
    expect(body.least_runway).toContainEqual({ client: 'down', condition: 'failing', ...why });
    expect(body.least_runway).toContainEqual({ client: 'refused', condition: 'credentials_refused', ...why });
    expect(body.providers).toEqual([]);
    const dates = body.next_renewals.map((row: { at: string }) => Date.parse(row.at));
    expect(dates).toEqual([...dates].sort((a, b) => a - b));
    expect(dates).toHaveLength(4);
  });

  it('each client by name in the metrics, and what was asked of which provider', async () => {
    const { body } = await fleet.admin('GET', '/metrics');
    expect(body).toMatch(/tokenbroker_token_runway_seconds\{client="fine"\} 2\d\d/);
    expect(body).toContain('tokenbroker_client_ready{client="fine",condition="fresh"} 1');
    expect(body).toContain('tokenbroker_client_ready{client="refused",condition="credentials_refused"} 0');
    expect(body).toMatch(
      /tokenbroker_renewals_total\{provider="capillary",outcome="failed",reason="credentials_refused"\} \d/,
    );
    expect(body).toMatch(/tokenbroker_provider_calls_total\{provider="capillary",status="500"\} \d/);
    expect(body).not.toMatch(/client="off"/);
  });

  it('each request by its id, in the answer and in the log', async () => {
    const own = await fleet.admin('GET', '/v1/clients/nobody', undefined, { 'x-request-id': 'my-id.1' });
    expect(own.headers.get('x-request-id')).toBe('my-id.1');
    expect(own.body.request_id).toBe('my-id.1');
    const logged = async () => fleet.brokers[0]!.output().includes('"request_id":"my-id.1"');
    expect(await until(logged, Boolean)).toBe(true);
    const odd = await fleet.admin('GET', '/v1/clients', undefined, { 'x-request-id': 'a b"c' });
    expect(odd.headers.get('x-request-id')).toMatch(/^[\w-]+$/);
  });

  it('pages that need no other host', async () => {
    const { url } = fleet.brokers[0]!;
    const page = await ask(`${url}/docs`, 'GET', undefined, {});
    expect(page.status).toBe(200);
    expect(page.body.match(/(src|href)="(https?:)?\/\//g)).toBeNull();
    expect((await ask(`${url}/openapi.json`, 'GET', undefined, {})).body.openapi).toBe('3.1.0');
    expect((await ask(`${url}/docs/errors.md`, 'GET', undefined, {})).body).toContain('credentials_refused');
  });

  it('a replica that serves and does not renew, and one that renews and does not serve', async () => {
    const serves = await fleet.addBroker({ ROLES: 'serve' });
    const renews = await fleet.addBroker({ ROLES: 'renew' });
    const key = await fleet.service('reader', 'fine');
    const read = (url: string) =>
      ask(`${url}/v1/clients/fine/token`, 'GET', undefined, { authorization: `Bearer ${key}` });
    expect((await read(serves.url)).status).toBe(200);
    expect((await read(renews.url)).status).toBe(404);
  });

  it('a process that ends in order when it is told to, in the middle of a renewal too', async () => {
    await fleet.register('slow', { verify: false, modes: { latency_ms: 1_000 } });
    await until(
      () => fleet.calls('slow'),
      ({ calls }) => calls >= 1,
    );
    const codes = await Promise.all(fleet.brokers.map((broker) => broker.kill('SIGTERM')));
    expect(codes).toEqual([0, 0, 0]);
    await fleet.addBroker();
    const state = await ask(`${fleet.brokers.at(-1)!.url}/v1/clients/slow`, 'GET', undefined, {
      authorization: `Bearer ${fleet.env['BOOTSTRAP_ADMIN_KEY']}`,
    });
    expect(state.body.condition).toBe('fresh'); // what was under way was brought to its end
    expect((await fleet.calls('slow')).calls).toBe(1);
  });

  it('what only Redis can say is not to be had while it is away, and says so', async () => {
    const { url } = fleet.brokers.at(-1)!;
    await fleet.redis.stop();
    for (const path of ['/v1/summary', '/v1/clients/slow/renewals']) {
      const headers = { authorization: `Bearer ${fleet.env['BOOTSTRAP_ADMIN_KEY']}` };
      const answer = await ask(`${url}${path}`, 'GET', undefined, headers);
      expect(answer).toMatchObject({ status: 503, body: { reason: 'store_unavailable' } });
      expect(answer.headers.get('retry-after')).toBe('1');
    }
    // A number would be a lie, and series that go away cannot be alerted on.
    const queue = async (broker: string) =>
      (await ask(`${broker}/metrics`, 'GET', undefined, {})).body.match(/^tokenbroker_queue_\w+ .*$/gm);
    const unknown = [expect.stringMatching(/^\w+_due nan$/i), expect.stringMatching(/^\w+_depth nan$/i)];
    expect(await queue(url)).toEqual(unknown);
    expect(await queue((await fleet.addBroker()).url)).toEqual(unknown);
  });
});
