import { ProviderUnavailable } from '#providers';
import { Scene } from './scene.fixture';

const lost = (): Promise<void> => Promise.reject(new ProviderUnavailable({ message: 'reset after it was sent' }));
const notSent = (): Promise<void> =>
  Promise.reject(new ProviderUnavailable({ message: 'no connection', reached: false }));

describe('a provider with one live token at a time', () => {
  let scene: Scene;
  const get = async (minTtlSeconds = 0) => (await scene.service.get('c', { minTtlSeconds })).accessToken;
  /** The one that the provider issued last. */
  const live = () => `token-${scene.calls}`;
  const until = async (holds: () => boolean) => {
    for (let second = 0; second < 10_000 && !holds(); second++) await scene.pass(1);
    if (!holds()) throw new Error('it never did');
  };
  beforeEach(() => {
    scene = new Scene();
    scene.renew = { single_live: true };
    scene.lifeSeconds = 3_600;
  });

  it('is asked late in the life of a token, and never sooner on demand', async () => {
    await get();
    for (let minute = 0; minute < 45; minute++) {
      await scene.pass(60);
      await get(3_600);
    }
    expect(scene.calls).toBe(1);
    await until(() => scene.calls === 2);
    expect(scene.clock.ms - 1_000_000).toBeGreaterThan(0.8 * 3_600_000);
    expect(scene.clock.ms - 1_000_000).toBeLessThan(0.89 * 3_600_000);
  });

  it('ends no token while a service holds it for as long as it was told', async () => {
    let held = { text: '', until: 0 };
    let withDead = 0;
    for (let second = 0; second < 6 * 3_600; second++) {
      await scene.pass(1);
      if (scene.clock.ms >= held.until) {
        const token = await scene.service.get('c');
        expect(scene.service.expiresAt(token)).toBeGreaterThan(scene.clock.now());
        const told = scene.service.runwaySeconds(token);
        expect(scene.service.expiresAt(token) - scene.clock.now()).toBeCloseTo(told * 1_000, -4);
        held = { text: token.accessToken, until: scene.clock.ms + told * 1_000 };
      }
      if (held.text !== live()) withDead++;
    }
    expect(scene.calls).toBeGreaterThanOrEqual(6);
    expect(withDead).toBe(0);
  });

  it('I9: has its token served beyond that while it fails, a second at a time and never past its end', async () => {
    const token = await scene.service.get('c');
    expect(scene.service.runwaySeconds(token)).toBeLessThan(0.88 * 3_600);
    scene.answer = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));
    await scene.pass(3_200);
    expect(await get()).toBe('token-1');
    expect(scene.service.runwaySeconds(token)).toBe(1);
    expect(scene.service.expiresAt(token)).toBe(scene.clock.now() + 1_000);
    scene.clock.ms = token.serveUntilMonotonic - 400;
    expect(scene.service.runwaySeconds(token)).toBe(0);
    expect(scene.service.expiresAt(token)).toBe(token.serveUntil);
    scene.clock.ms += 400;
    await expect(get()).rejects.toMatchObject({ reason: 'provider_unavailable' });
  });

  it('ends a token that another replica, whose news is lost, serves for no more than a second after', async () => {
    const { store } = scene;
    const onNews = store.onNews.bind(store);
    store.onNews = () => undefined;
    const other = scene.newService();
    store.onNews = onNews;
    await get();
    expect((await other.get('c')).accessToken).toBe('token-1');
    await until(() => scene.calls === 2);
    expect((await other.get('c')).accessToken).toBe('token-2');
    await scene.service.change('c', 2);
    scene.known = { secretVersion: 2 };
    await scene.service.renewDue();
    await scene.service.drain();
    expect(scene.calls).toBe(3);
    scene.clock.ms += 1_000;
    expect((await other.get('c')).accessToken).toBe('token-3');
  });

  it('is asked soon after an answer was lost, since the token may be dead; but not in a storm', async () => {
    await get();
    scene.answer = notSent;
    await until(() => scene.calls === 8);
    const { dueInMs } = await scene.store.read('c');
    expect(dueInMs).toBeGreaterThan(10_000); // by now it waits for the provider to come back
    scene.answer = lost;
    await until(() => scene.calls === 9);
    expect((await scene.store.read('c')).dueInMs).toBeLessThanOrEqual(1_000);
    expect(await get()).toBe('token-1');
    const { calls } = scene;
    await scene.pass(60);
    expect(scene.calls - calls).toBeLessThanOrEqual(6);
  });

  it('has its next token stored, were it to end sooner than the one that it ended', async () => {
    await get();
    scene.lifeSeconds = 300;
    await scene.service.change('c', 1);
    await scene.pass(1);
    scene.lifeSeconds = 200;
    await until(() => scene.calls === 3);
    expect(await get()).toBe('token-3');
    expect(scene.heard).not.toContain('sticky');
  });
});
