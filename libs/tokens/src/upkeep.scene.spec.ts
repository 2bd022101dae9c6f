import { Scene } from './scene.fixture';

describe('a reconciling of very many clients', () => {
  const count = 12_000;
  let scene: Scene;

  beforeEach(async () => {
    scene = new Scene();
    scene.active = Array.from({ length: count }, (_, i) => ({ id: `client-${i}`, version: 1, secretVersion: 1 }));
    await scene.service.reconcile();
  });

  it('puts back those that are missing from the queue', async () => {
    await scene.store.remove('client-11500');
    expect(await scene.service.reconcile()).toBe(1);
    expect((await scene.service.overview(0)).depth).toBe(count);
    expect(await scene.service.reconcile()).toBe(0);
  });

  it('tells the store of a changed secret until it has heard of it', async () => {
    scene.active[11_500] = { id: 'client-11500', version: 2, secretVersion: 2 };
    scene.known = { version: 2, secretVersion: 2 };
    const { enqueue } = scene.store;
    scene.store.enqueue = () => Promise.reject(new Error('the store is away'));
    await expect(scene.service.reconcile()).rejects.toThrow('away');
    scene.store.enqueue = enqueue;
    await scene.service.reconcile();
    expect((await scene.store.read('client-11500')).dueInMs).toBeLessThanOrEqual(0);
  });
});
