import { ask, type Fleet, startFleet, until } from './fleet';

describe('one replica that serves and one that renews', () => {
  let fleet: Fleet;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet(1, { ROLES: 'serve' });
    await fleet.addBroker({ ROLES: 'renew' });
    await fleet.register('eu', { ttlSeconds: 30 });
    key = await fleet.service('reader', 'eu');
  }, 60_000);
  afterAll(() => fleet.stop());

  /** Calls of the provider by the replica that serves. */
  const ownCalls = async () => {
    const { body } = await ask(`${fleet.brokers[0]!.url}/metrics`, 'GET', undefined, {});
    return /^tokenbroker_provider_calls_total\{provider="capillary",status="200"\} (\d+)$/m.exec(body)?.[1];
  };

  it('a cold read at the one that serves is answered through the one that renews', async () => {
    const whenRegistered = await ownCalls();
    await fleet.register('cold', { verify: false, modes: { latency_ms: 500 } });
    const cold = await fleet.service('cold-reader', 'cold');
    expect((await fleet.token('cold', cold)).status).toBe(200);
    expect((await fleet.calls('cold')).calls).toBe(1);
    const before = await fleet.token('eu', key);
    expect(before.status).toBe(200);
    await until(
      () => fleet.token('eu', key),
      ({ body }) => body.expires_in < 22, // less than 90 % of what was left of 27 s when it arrived
    );
    const after = await fleet.token('eu', key, { query: '?min_ttl=27' });
    expect(after.body.access_token).not.toBe(before.body.access_token);
    expect((await fleet.calls('eu')).calls).toBe(2);
    expect(whenRegistered).toBe('1'); // it does ask the provider where an admin wants a secret to be verified
    expect(await ownCalls()).toBe('1');
  });

  it('without the one that renews, what is there is served, and for what is not there is a reason', async () => {
    await fleet.brokers[1]!.kill('SIGTERM');
    expect((await fleet.token('eu', key)).status).toBe(200);
    await fleet.register('nobody-renews', { verify: false });
    const reader = await fleet.service('other-reader', 'nobody-renews');
    const refused = await fleet.token('nobody-renews', reader);
    expect(refused).toMatchObject({ status: 503, body: { code: 'token_unavailable', reason: 'renewing' } });
    expect(refused.body.detail).toContain('does not renew');
    expect((await fleet.calls('nobody-renews')).calls).toBe(0);
    await fleet.addBroker({ ROLES: 'renew' });
    await until(
      () => fleet.token('nobody-renews', reader),
      ({ status }) => status === 200,
    );
  });
});
