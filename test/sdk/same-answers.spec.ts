import { setTimeout as pause } from 'node:timers/promises';
import { type Fleet, startFleet } from '../../apps/broker/test/fleet';
import { FakeBroker } from '#sdk-testing';
import { TokenBroker, type TokenBrokerError } from '#sdk';

/** A broker with the client `eu`, granted, and the client `off`, disabled. */
interface Subject {
  broker: TokenBroker;
  /** The same with a key that opens nothing. */
  stranger: TokenBroker;
  watching: TokenBroker;
  renew(): Promise<unknown>;
  end(): Promise<void>;
}

async function real(): Promise<Subject> {
  const fleet: Fleet = await startFleet();
  await fleet.register('eu', { ttlSeconds: 300 });
  await fleet.register('off', { ttlSeconds: 300 });
  await fleet.admin('POST', '/v1/clients/off/disable');
  const { url } = fleet.brokers[0]!;
  const key = await fleet.service('checkout', 'eu', 'off');
  return {
    broker: new TokenBroker({ url, key }),
    watching: new TokenBroker({ url, key, watch: true }),
    stranger: new TokenBroker({ url, key: 'tbk_none' }),
    renew: () => fleet.admin('POST', '/v1/clients/eu/renewals'),
    end: () => fleet.stop(),
  };
}

async function fake(): Promise<Subject> {
  const broker = new FakeBroker();
  const eu = broker.client('eu', { lifeSeconds: 300 });
  broker.client('off').disable();
  return {
    broker: broker.connect(),
    watching: broker.connect({ watch: true }),
    stranger: broker.connect({ key: 'tbk_none' }),
    renew: async () => eu.renew(),
    end: async () => undefined,
  };
}

/** So that what programs are tested with is what they meet. */
describe.each([
  ['a broker', real],
  ['the fake broker', fake],
])('%s', (_, start) => {
  let subject: Subject;
  const failure = async (promise: Promise<unknown>) => {
    const { name, code, status, retryable } = (await promise.catch((error: unknown) => error)) as TokenBrokerError & {
      status: number;
    };
    return { name, code, status, retryable };
  };

  beforeAll(async () => {
    subject = await start();
  }, 60_000);
  afterAll(() => subject?.end());

  it('serves a token with what the API wants', async () => {
    const token = await subject.broker.getToken('eu');
    expect([token.client, token.tokenType]).toEqual(['eu', 'Bearer']);
    expect(Object.values(token.headers).join()).toContain(token.accessToken);
    expect(token.expiresIn).toBeGreaterThan(200);
    expect(token.etag).toMatch(/^"\d+"$/);
  });

  it('says no in the same words', async () => {
    const { broker, stranger } = subject;
    const no = { retryable: false };
    expect(await failure(stranger.getToken('eu'))).toEqual({
      name: 'Unauthenticated',
      code: 'unauthenticated',
      status: 401,
      ...no,
    });
    expect(await failure(broker.getToken('us'))).toEqual({ name: 'NotFound', code: 'not_found', status: 404, ...no });
    expect(await failure(broker.getToken('off'))).toEqual({
      name: 'ClientDisabled',
      code: 'client_disabled',
      status: 409,
      ...no,
    });
    const rejecting = broker.rejectToken({ client: 'us', etag: '"1"' });
    expect(await failure(rejecting)).toEqual({ name: 'NotFound', code: 'not_found', status: 404, ...no });
  });

  it('renews a token that was rejected, and tells so once', async () => {
    const { broker } = subject;
    const token = await broker.getToken('eu');
    let answer = await broker.rejectToken(token);
    // Capillary is not asked twice within a second.
    for (; answer.retry_after === 1; answer = await broker.rejectToken(token)) await pause(200);
    expect(answer).toEqual({ renewal: 'started' });
    let next = token;
    while (next.etag === token.etag) next = await broker.getToken('eu', { minTtl: token.expiresIn + 1 });
    expect((await broker.rejectToken(token)).renewal).toBe('already_replaced');
  });

  it('lets the SDK have the next token as soon as it is there', async () => {
    const { watching, renew } = subject;
    const before = await watching.getToken('eu');
    await renew();
    while ((await watching.getToken('eu')).etag === before.etag) await pause(20);
    watching.close();
    // Far ahead of when it would have been asked about.
    expect(before.expiresIn).toBeGreaterThan(200);
  });
});
