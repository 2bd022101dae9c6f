import { Scene } from './scene.fixture';
import type { QueueEntry } from './store/token-store';

describe('what a reconciling tells the token store of very many clients', () => {
  const count = 12_000;
  let scene: Scene;
  let told: QueueEntry[];

  beforeEach(() => {
    scene = new Scene();
    scene.active = Array.from({ length: count }, (_, i) => ({ id: `client-${i}`, version: 1, secretVersion: 1 }));
    const enqueue = scene.store.enqueue.bind(scene.store);
    scene.store.enqueue = async (entries) => {
      told.push(...entries);
      return enqueue(entries);
    };
  });

  const reconcile = async (): Promise<number> => {
    told = [];
    return scene.service.reconcile();
  };

  it('is all of them once, then each one again every tenth time', async () => {
    expect(await reconcile()).toBe(count);
    expect(told).toHaveLength(count);
    const again = new Set<string>();
    for (let time = 0; time < 10; time++) {
      expect(await reconcile()).toBe(0);
      expect(told.length).toBeLessThanOrEqual(2_000);
      for (const { clientId } of told) again.add(clientId);
    }
    expect(again.size).toBe(count);
  });

  it('is those that are missing from the queue, at once', async () => {
    await reconcile();
    await scene.store.remove('client-11500');
    expect(await reconcile()).toBe(1);
    expect((await scene.service.overview(0)).depth).toBe(count);
  });

  it('is a changed secret, until the store has heard of it', async () => {
    await reconcile();
    scene.active[11_500] = { id: 'client-11500', version: 2, secretVersion: 2 };
    scene.known = { version: 2, secretVersion: 2 };
    const { enqueue } = scene.store;
    scene.store.enqueue = () => Promise.reject(new Error('the store is away'));
    await expect(reconcile()).rejects.toThrow('away');
    scene.store.enqueue = enqueue;
    await reconcile();
    expect(told).toContainEqual(expect.objectContaining({ clientId: 'client-11500', secretVersion: 2 }));
    expect(await scene.store.claimOne('client-11500')).toMatchObject({ outcome: 'claimed' });
  });
});
