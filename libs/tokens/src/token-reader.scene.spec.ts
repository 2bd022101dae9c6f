import { ProviderUnavailable } from '#providers';
import { Scene } from './scene.fixture';

const checkedAgainMs = 10_000;

describe('a token that this process has', () => {
  let scene: Scene;
  let asked: string[];
  const get = async () => (await scene.service.get('c')).accessToken;

  beforeEach(async () => {
    scene = new Scene();
    await scene.service.get('c');
    asked = [];
    for (const name of ['read', 'generation'] as const) {
      const ask = scene.store[name].bind(scene.store);
      scene.store[name] = (id: string): never => {
        asked.push(name);
        return ask(id) as never;
      };
    }
  });

  it('is not read again as long as the store has no other one', async () => {
    for (let i = 0; i < 5; i++) {
      scene.clock.ms += checkedAgainMs;
      expect(await get()).toBe('token-1');
      expect(await get()).toBe('token-1');
    }
    expect(asked).toEqual(Array(5).fill('generation'));
  });

  it('is replaced by the one that the store has though no news of it came', async () => {
    const other = scene.service;
    scene.store.onNews = () => undefined;
    scene.service = scene.newService();
    expect(await get()).toBe('token-1');
    scene.clock.ms += 5_000;
    await other.renewNow('c');
    expect(await get()).toBe('token-1');
    scene.clock.ms += checkedAgainMs;
    expect(await get()).toBe('token-2');
  });

  it('is not taken for the one to renew where it does not last long enough', async () => {
    scene.clock.ms += 100_000;
    expect((await scene.service.get('c', { minTtlSeconds: 200 })).accessToken).toBe('token-2');
    expect(scene.calls).toBe(2);
  });

  it('is read again at the next request where news of a later one overtook the reading', async () => {
    const read = scene.store.read.bind(scene.store);
    const other = scene.newService();
    scene.service = scene.newService(); // which has nothing yet
    scene.store.read = async (id) => {
      const before = await read(id);
      scene.store.read = read;
      scene.clock.ms += 5_000;
      await other.renewNow('c');
      return before;
    };
    expect(await get()).toBe('token-1');
    expect(await get()).toBe('token-2');
  });

  it('is served on where the one that another stored in its place is over sooner, by clocks that differ', async () => {
    const other = scene.newService();
    const read = scene.store.read.bind(scene.store);
    const renewedAt = (scene.clock.ms += 5_000);
    // The other's clock is behind: of the token that it stores, little is left by ours.
    scene.store.read = async (id) => {
      const state = await read(id);
      return { ...state, token: { ...state.token!, runwayMs: renewedAt + 1_000 - scene.clock.ms } };
    };
    await other.renewNow('c');
    await other.drain();
    expect(await get()).toBe('token-1');
    scene.answer = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));
    scene.clock.ms += 1_000;
    expect(await get()).toBe('token-1');
    scene.clock.ms += 300_000;
    await expect(get()).rejects.toThrow('down');
  });
});
