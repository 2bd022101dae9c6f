import { ProviderUnavailable } from '#providers';
import { Scene } from './scene.fixture';

const down = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));

describe('a token that its provider refuses', () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  const get = () => scene.service.get('c');
  const generation = async () => (await get()).generation;
  /** Tokens rest for half a second after they came. */
  const later = (ms = 1_000) => (scene.clock.ms += ms);
  const settled = () => scene.service.drain();

  it('is replaced at once by one renewal, however many replicas and services say so', async () => {
    const first = await generation();
    later();
    const replicas = Array.from({ length: 8 }, () => scene.newService());
    const answers = await Promise.all(
      replicas.flatMap((replica, i) => [replica.reject('c', first, 's'), replica.reject('c', first, `s${i}`)]),
    );
    await Promise.all(replicas.map((replica) => replica.drain()));
    const started = answers.filter(({ renewal }) => renewal === 'started');
    expect(started.length).toBeGreaterThanOrEqual(1);
    expect(answers.filter(({ renewal }) => renewal === 'rate_limited')).toEqual([]);
    expect(scene.calls).toBe(2);
    expect((await get()).accessToken).toBe('token-2');
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'already_replaced' });
    expect(scene.calls).toBe(2);
  });

  it('is served while the next one is fetched, and when that fails', async () => {
    const first = await generation();
    later();
    let answer = (): void => undefined;
    scene.answer = () => new Promise((resolve) => (answer = resolve));
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'started' });
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'under_way' });
    expect((await get()).accessToken).toBe('token-1');
    answer();
    await settled();
    scene.answer = down;
    later(40_000);
    await scene.service.reject('c', await generation(), 's');
    await settled();
    expect((await get()).accessToken).toBe('token-2');
    expect(await scene.service.reject('c', await generation(), 's')).toMatchObject({ renewal: 'rate_limited' });
  });

  it('is not served again when the one that replaced it is over first', async () => {
    const [first, other] = [await generation(), scene.newService()];
    expect((await other.get('c')).generation).toBe(first);
    later();
    scene.lifeSeconds = 60;
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'started' });
    await settled();
    for (const service of [scene.service, other]) expect((await service.get('c')).accessToken).toBe('token-2');
    scene.answer = down;
    later(60_000);
    for (const service of [scene.service, other]) await expect(service.get('c')).rejects.toThrow('down');
  });

  it('is not so either where that one is over first by clocks that differ', async () => {
    const first = await generation();
    later();
    const read = scene.store.read.bind(scene.store);
    const renewedAt = scene.clock.ms;
    scene.store.read = async (id) => {
      const state = await read(id);
      if (state.token?.generation !== first) state.token!.runwayMs = renewedAt + 1_000 - scene.clock.ms;
      return state;
    };
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'started' });
    await settled();
    expect((await get()).accessToken).toBe('token-2');
    scene.answer = down;
    later();
    await expect(get()).rejects.toThrow('down');
  });

  it('brings about no more than one request in 30 s, however often it is said', async () => {
    for (let second = 0; second < 120; second++) {
      later();
      for (let i = 0; i < 10; i++) await scene.service.reject('c', await generation(), 's');
      await settled();
    }
    expect(scene.calls).toBe(1 + 4);
    const answer = await scene.service.reject('c', await generation(), 's');
    expect(answer.renewal).toBe('rate_limited');
    expect(answer.retryAfterSeconds).toBeGreaterThan(0);
    expect(answer.retryAfterSeconds).toBeLessThanOrEqual(30);
  });

  it('leads to no loop where the provider gives the same one again', async () => {
    scene.issue = () => ({ text: 'the same', lifeSeconds: 3_600 });
    const first = await generation();
    for (let second = 0; second < 600; second++) {
      later();
      await scene.service.reject('c', await generation(), 's');
      await settled();
    }
    expect(await generation()).toBe(first);
    // After it came again, half of what remains is waited for, five minutes at most.
    expect(scene.calls).toBeLessThanOrEqual(4);
  });

  it('keeps to the minimum interval of its provider', async () => {
    scene.renew = { min_interval_s: 120 };
    const first = await generation();
    later(60_000);
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'rate_limited', retryAfterSeconds: 60 });
    later(60_000);
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'started' });
    await settled();
    expect(scene.calls).toBe(2);
  });

  it('keeps to the quota of its provider', async () => {
    scene.renew = { quota: { requests: 1, per_s: 600 } };
    const first = await generation();
    later(60_000);
    expect(await scene.service.reject('c', first, 's')).toEqual({ renewal: 'started' });
    await settled();
    expect(scene.calls).toBe(1);
    expect((await get()).accessToken).toBe('token-1');
  });

  it('of very many clients brings about 120 renewals a minute for each that says so', async () => {
    const clients = Array.from({ length: 200 }, (_, n) => `c${n}`);
    const generations = await Promise.all(clients.map(async (id) => (await scene.service.get(id)).generation));
    later();
    const rejectAll = (by: string) =>
      Promise.all(clients.map((id, n) => scene.service.reject(id, generations[n]!, by)));
    const answers = await rejectAll('s');
    await settled();
    expect(answers.filter(({ renewal }) => renewal === 'started')).toHaveLength(120);
    const limited = answers.filter(({ renewal }) => renewal === 'rate_limited');
    expect(limited).toHaveLength(80);
    expect(limited[0]!.retryAfterSeconds).toBe(60);
    expect((await rejectAll('another')).filter(({ renewal }) => renewal === 'started')).toHaveLength(80);
    await settled();
  });

  it('is left to a replica that renews, where this one does not', async () => {
    const first = await generation();
    later();
    const serving = scene.newService({ renews: false });
    expect(await serving.reject('c', first, 's')).toEqual({ renewal: 'started' });
    expect(scene.calls).toBe(1);
    await scene.service.renewDue();
    await settled();
    expect((await get()).accessToken).toBe('token-2');
  });

  it('is waited for by who cannot go on without', async () => {
    const first = await generation();
    later();
    expect(await scene.service.replace('c', first, 's')).toMatchObject({ accessToken: 'token-2' });
    later();
    // Who says so late gets what is there.
    expect(await scene.service.replace('c', first, 's')).toMatchObject({ accessToken: 'token-2' });
    expect(await scene.service.replace('c', await generation(), 's')).toBeUndefined();
    expect(scene.calls).toBe(2);
  });

  it('is waited for by who cannot go on without, elsewhere too, and not for ever', async () => {
    const first = await generation();
    later();
    const waiting = [scene.newService(), scene.newService()].map((replica) => replica.replace('c', first, 's'));
    for (const token of await Promise.all(waiting)) expect(token).toMatchObject({ accessToken: 'token-2' });
    later(40_000);
    scene.answer = down;
    expect(await scene.service.replace('c', await generation(), 's')).toBeUndefined();
  });

  it('is served no more where it is in no store: this process got it by itself, or the store lost its last writes', async () => {
    await get();
    later();
    const before = await scene.store.read('c');
    const { read } = scene.store;
    const elsewhere = scene.newService();
    scene.store.read = () => Promise.reject(new Error('gone'));
    for (let second = 0; second < 10; second++) {
      later();
      await elsewhere.get('c').catch(() => undefined);
    }
    scene.store.read = read;
    later(20_000);
    const minted = await elsewhere.get('c');
    expect(minted.accessToken).toBe('token-2');
    expect(Number(minted.generation)).toBeGreaterThan(Number(before.token!.generation));
    expect(await elsewhere.reject('c', minted.generation, 's')).toEqual({ renewal: 'already_replaced' });
    const next = await elsewhere.get('c');
    expect(next.accessToken).toBe('token-1');
    expect(await elsewhere.reject('c', next.generation, 's')).toEqual({ renewal: 'started' });
    await elsewhere.drain();
    expect((await elsewhere.get('c')).accessToken).toBe('token-3');
  });

  it('is not replaced while the store does not answer, and who says so is told', async () => {
    const first = await generation();
    later();
    scene.store.claimRejected = () => Promise.reject(new Error('gone'));
    await expect(scene.service.reject('c', first, 's')).rejects.toMatchObject({ reason: 'store_unavailable' });
  });
});
