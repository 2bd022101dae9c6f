import {
  BrokerUnreachable,
  ClientDisabled,
  NotFound,
  RequestRefused,
  TokenUnavailable,
  Unauthenticated,
} from './errors';
import { FakeBroker } from './testing/fake-broker';

let fake: FakeBroker;
let eu: ReturnType<FakeBroker['client']>;

beforeEach(() => {
  fake = new FakeBroker();
  eu = fake.client('eu', { lifeSeconds: 300 });
});

/** What is under way in the background has ended. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

describe('a token', () => {
  it('is asked for once, however many callers want it at the same time', async () => {
    const broker = fake.connect();
    const tokens = await Promise.all(Array.from({ length: 100 }, () => broker.getToken('eu')));
    expect(new Set(tokens.map(({ accessToken }) => accessToken))).toEqual(new Set(['token-1-of-eu']));
    expect(fake.requests).toHaveLength(1);
  });

  it('comes from memory for two thirds of what it had left, less a little', async () => {
    const broker = fake.connect();
    await broker.getToken('eu');
    fake.clock.advance(179);
    expect((await broker.getToken('eu')).expiresIn).toBe(121);
    expect(fake.requests).toHaveLength(1);
  });

  it('is asked about ahead of need, in the background, and only for what is new', async () => {
    const broker = fake.connect({ random: () => 1 });
    const first = await broker.getToken('eu');
    fake.clock.advance(190);
    expect(await broker.getToken('eu')).toBe(first);
    await settled();
    expect(fake.requests.map(({ status }) => status)).toEqual([200, 304]);
    fake.clock.advance(65);
    await broker.getToken('eu');
    await settled();
    expect(fake.requests).toHaveLength(2);
    fake.clock.advance(2);
    expect(await broker.getToken('eu')).toBe(first);
    await settled();
    expect((await broker.getToken('eu')).accessToken).toBe('token-2-of-eu');
    expect(fake.requests.map(({ status }) => status)).toEqual([200, 304, 200]);
  });

  it('is served to its end while the broker is away, and then no more', async () => {
    const broker = fake.connect({ timeoutSeconds: 20 });
    await broker.getToken('eu');
    fake.goAway();
    for (const seconds of [200, 50, 49]) {
      fake.clock.advance(seconds);
      expect((await broker.getToken('eu')).accessToken).toBe('token-1-of-eu');
      await settled();
    }
    fake.clock.advance(1);
    await expect(broker.getToken('eu')).rejects.toBeInstanceOf(BrokerUnreachable);
    fake.comeBack();
    expect((await broker.getToken('eu')).accessToken).toBe('token-2-of-eu');
  });

  it.each([
    ['the grant is withdrawn', () => fake.remove('eu'), NotFound],
    ['the client is disabled', () => eu.disable(), ClientDisabled],
    [
      'the key is revoked',
      () => fake.answerNext({ code: 'unauthenticated' }, { code: 'unauthenticated' }),
      Unauthenticated,
    ],
  ])('is served no more once the broker was heard to say that %s', async (_, change, error) => {
    const broker = fake.connect();
    await broker.getToken('eu');
    change();
    fake.clock.advance(210);
    await broker.getToken('eu');
    await settled();
    await expect(broker.getToken('eu')).rejects.toBeInstanceOf(error);
  });

  it('that lasts too short is replaced by one that lasts', async () => {
    const broker = fake.connect();
    await broker.getToken('eu');
    fake.clock.advance(100);
    const lasting = await broker.getToken('eu', { minTtl: 250 });
    expect([lasting.accessToken, lasting.expiresIn]).toEqual(['token-2-of-eu', 300]);
  });

  it('is served all the same where none lasts as long, and that is not asked with every call', async () => {
    const broker = fake.connect();
    await broker.getToken('eu');
    eu.fail();
    fake.clock.advance(100);
    for (let calls = 0; calls < 10; calls++) {
      expect((await broker.getToken('eu', { minTtl: 250 })).expiresIn).toBe(200);
    }
    expect(fake.requests).toHaveLength(2);
  });

  it('is served all the same where one that lasts is wanted while the broker is away', async () => {
    const broker = fake.connect();
    await broker.getToken('eu');
    fake.goAway();
    fake.clock.advance(100);
    expect((await broker.getToken('eu', { minTtl: 250 })).expiresIn).toBe(200);
  });

  it('is not lost by asking for what cannot be', async () => {
    const broker = fake.connect();
    await broker.getToken('eu');
    fake.answerNext({ code: 'validation_failed' });
    await expect(broker.getToken('eu', { minTtl: 1e6 })).rejects.toBeInstanceOf(RequestRefused);
    await expect(broker.getToken('eu', { minTtl: NaN })).rejects.toBeInstanceOf(RangeError);
    await expect(broker.getToken('..')).rejects.toBeInstanceOf(TypeError);
    expect((await broker.getToken('eu')).accessToken).toBe('token-1-of-eu');
    expect(fake.requests).toHaveLength(2);
  });

  it('is told with the reason when there is none', async () => {
    fake.answerNext(
      ...Array.from(
        { length: 9 },
        () => ({ code: 'token_unavailable', reason: 'throttled', retryAfterSeconds: 5 }) as const,
      ),
    );
    const failing = fake.connect().getToken('eu');
    await expect(failing).rejects.toBeInstanceOf(TokenUnavailable);
    await expect(failing).rejects.toMatchObject({
      code: 'token_unavailable',
      reason: 'throttled',
      retryAfterSeconds: 5,
    });
  });

  it('is wanted by others still when one of the callers leaves', async () => {
    const broker = fake.connect();
    const leaving = new AbortController();
    const [left, stayed] = [broker.getToken('eu', { signal: leaving.signal }), broker.getToken('eu')];
    leaving.abort(new Error('left'));
    await expect(left).rejects.toThrow('left');
    expect((await stayed).accessToken).toBe('token-1-of-eu');
    expect(fake.requests).toHaveLength(1);
  });

  it('is waited for by who needs it, though a look ahead in the background has just failed', async () => {
    let answer = (_: Response): void => undefined;
    const slow = fake.connect({
      fetch: (input, init) => (held ? new Promise((resolve) => (answer = resolve)) : fake.fetch(input, init)),
    });
    let held = false;
    await slow.getToken('eu');
    fake.clock.advance(280);
    held = true;
    await slow.getToken('eu'); // looks ahead, and hangs
    await settled();
    held = false;
    fake.clock.advance(20);
    const needed = slow.getToken('eu');
    answer(new Response('no broker', { status: 502 }));
    expect((await needed).accessToken).toBe('token-2-of-eu');
  });

  it('that ran out while the broker said that it is still the one is fetched whole', async () => {
    const answers: number[] = [];
    const broker = fake.connect({
      fetch: async (input, init) => {
        const response = await fake.fetch(input, init);
        answers.push(response.status);
        if (response.status === 304) {
          fake.clock.advance(300);
          eu.recover();
        }
        return response;
      },
    });
    await broker.getToken('eu');
    eu.fail();
    fake.clock.advance(100);
    const token = await broker.getToken('eu', { minTtl: 250 });
    expect([token.accessToken, token.expiresIn]).toEqual(['token-2-of-eu', 300]);
    expect(answers).toEqual([200, 304, 200]);
  });

  it('ends by whichever clock is ahead: one may be set back, the other stand still in a machine that sleeps', async () => {
    const clock = {
      wall: 0,
      monotonic: 0,
      now: () => clock.wall,
      steady: () => clock.monotonic,
      sleep: async () => undefined,
    };
    const broker = fake.connect({ clock });
    const token = await broker.getToken('eu');
    [clock.wall, clock.monotonic] = [-3_600_000, 300_000];
    expect(token.expiresIn).toBe(0);
    [clock.wall, clock.monotonic] = [300_000, 0];
    expect(token.expiresIn).toBe(0);
    [clock.wall, clock.monotonic] = [100_000, 100_000];
    expect(token.expiresIn).toBe(200);
  });
});
