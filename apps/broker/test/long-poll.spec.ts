import { type Answer, type Fleet, startFleet, until } from './fleet';

/** Processes, PostgreSQL and Redis; what can be shown without them is in src/tokens/long-poll.spec.ts. */
describe('waiting for the next token in a fleet', () => {
  let fleet: Fleet;
  beforeAll(async () => {
    fleet = await startFleet(2);
  });
  afterAll(() => fleet.stop());

  /** A service of its own waits at the second broker with the token that it has. */
  const wait = async (
    client: string,
    service: string,
    broker = 1,
  ): Promise<{ has: string; answer: Promise<Answer> }> => {
    await fleet.register(client);
    const key = await fleet.service(service, client);
    const has = (await fleet.token(client, key, { broker })).headers.get('etag')!;
    const answer = fleet.token(client, key, { broker, query: '?wait=60', headers: { 'if-none-match': has } });
    await until(
      async () => (await fetch(`${fleet.brokers[broker]!.url}/metrics`)).text(),
      (text) => /^tokenbroker_token_waiters 1$/m.test(text),
    );
    return { has, answer };
  };

  it('ends with the token that another replica fetched', async () => {
    const { has, answer } = await wait('eu', 'sidecar');
    expect((await fleet.admin('POST', '/v1/clients/eu/renewals')).status).toBe(200);
    const { status, headers, body } = await answer;
    expect(status).toBe(200);
    expect(headers.get('etag')).not.toBe(has);
    expect(body.expires_in).toBeGreaterThan(250);
  });

  it('ends when the key is revoked, the grant taken back or the client disabled, by another replica', async () => {
    const revoked = await wait('one', 'revoked');
    const [key] = (await fleet.admin('GET', '/v1/services/revoked/keys')).body.items;
    await fleet.admin('DELETE', `/v1/services/revoked/keys/${key.id}`);
    expect(await revoked.answer).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
    const ungranted = await wait('two', 'ungranted');
    const [grant] = (await fleet.admin('GET', '/v1/grants?service=ungranted')).body.items;
    await fleet.admin('DELETE', `/v1/grants/${grant.id}`);
    expect(await ungranted.answer).toMatchObject({ status: 404, body: { code: 'not_found' } });
    const disabled = await wait('three', 'disabled');
    await fleet.admin('POST', '/v1/clients/three/disable');
    expect(await disabled.answer).toMatchObject({ status: 409, body: { code: 'client_disabled' } });
  });

  it('ends when the broker is told to end, and holds nothing up', async () => {
    const last = await fleet.addBroker();
    const { answer } = await wait('four', 'waits-on', 2);
    const ended = last.kill('SIGTERM');
    const { status, headers } = await answer;
    expect([status, headers.get('connection')]).toEqual([304, 'close']);
    expect(await ended).toBe(0);
    expect(last.output()).not.toContain('cut off');
  });
});
