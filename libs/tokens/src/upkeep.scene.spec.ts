import { setTimeout as delay } from 'node:timers/promises';
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

it('a queue that is lost in the middle of a reconciling is whole soon, also what that had passed by then', async () => {
  const scene = new Scene();
  scene.active = Array.from({ length: 2_000 }, (_, i) => ({ id: `client-${i}`, version: 1, secretVersion: 1 }));
  const enqueue = scene.store.enqueue.bind(scene.store);
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => (goOn = resolve));
  let lost = false;
  scene.store.enqueue = async (entries) => {
    if (entries[0]?.clientId !== 'client-1000' || lost) return enqueue(entries);
    lost = true;
    await scene.store.close(); // empties it
    await held;
    return enqueue(entries);
  };
  const first = scene.service.reconcile();
  while (!lost) await delay(1);
  await scene.service.renewDue();
  await delay(2_500); // more than others' head start
  goOn();
  await first;
  await delay(200);
  expect((await scene.service.overview(0)).depth).toBe(2_000);
});
