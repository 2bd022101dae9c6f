import { ProviderUnavailable } from '#providers';
import { Scene } from './scene.fixture';

const down = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));
const turn = () => new Promise(setImmediate);

describe('a process that stops', () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = new Scene();
    scene.active = [{ id: 'c', version: 1, secretVersion: 1 }];
    await scene.service.reconcile();
    scene.clock.ms += 1_000;
  });
  const states = async () => (await scene.service.states(['c']))[0]!;

  it('brings to its end what it has asked a provider for', async () => {
    let answer!: () => void;
    scene.answer = () => new Promise((resolve) => (answer = resolve));
    await scene.service.renewDue();
    while (scene.calls === 0) await turn();
    scene.service.stop();
    const drained = scene.service.drain(60_000);
    answer();
    await drained;
    expect((await states()).token).toBeDefined();
  });

  it('gives back at once what it had claimed and not begun', async () => {
    let loaded!: () => void;
    scene.load = (id) => new Promise((resolve) => (loaded = () => resolve(scene.client(id))));
    scene.service = scene.newService();
    scene.active = [];
    await scene.service.renewDue();
    scene.service.stop();
    loaded();
    await scene.service.drain();
    expect(scene.calls).toBe(0);
    expect((await scene.newService().renewDue()) + (await scene.store.claimDue(1)).claims.length).toBe(1);
  });

  it('gives back at once what waits for a database that hangs', async () => {
    scene.load = () => new Promise(() => undefined);
    scene.active = [];
    const stopping = scene.newService();
    await stopping.renewDue();
    stopping.stop();
    await stopping.drain();
    expect((await scene.store.claimDue(1)).claims).toHaveLength(1);
  });

  it('waits for what it is just claiming, and gives that back too', async () => {
    const { store } = scene;
    const claimDue = store.claimDue.bind(store);
    let answer!: () => void;
    store.claimDue = async (limit) => {
      const due = await claimDue(limit);
      await new Promise<void>((resolve) => (answer = resolve));
      return due;
    };
    const claiming = scene.service.renewDue();
    while (!answer!) await turn();
    scene.service.stop();
    const drained = scene.service.drain();
    await turn();
    answer();
    await drained;
    expect((await states()).dueInMs).toBe(0);
    expect(await claiming).toBe(1);
    expect(scene.calls).toBe(0);
  });

  it('cuts off what takes too long, and leaves it to another replica soon', async () => {
    scene.answer = () => new Promise(() => undefined);
    await scene.service.renewDue();
    while (scene.calls === 0) await turn();
    scene.service.stop();
    await scene.service.drain(10);
    expect((await states()).dueInMs).toBeLessThanOrEqual(500);
    scene.answer = () => Promise.resolve();
    scene.clock.ms += 500;
    const heir = scene.newService();
    await heir.renewDue();
    await heir.drain();
    expect((await states()).token).toBeDefined();
    expect(scene.calls).toBe(2);
  });

  it('leaves what is asked of it meanwhile to the replicas that stay', async () => {
    const heir = scene.newService();
    scene.service.stop();
    const wanted = scene.service.get('c');
    await turn();
    await heir.renewDue();
    expect((await wanted).accessToken).toBe('token-1');
    expect(scene.calls).toBe(1);
  });
});

describe('a replica that does not renew', () => {
  it('has a token that is wanted fetched by one that does', async () => {
    const scene = new Scene();
    const serves = scene.newService({ renews: false });
    const wanted = serves.get('c');
    while ((await scene.service.renewDue()) === 0) await turn();
    expect((await wanted).accessToken).toBe('token-1');
    expect(scene.calls).toBe(1);
  });

  it('has tokens fetched for many at once: none of them is taken for a retry', async () => {
    const scene = new Scene();
    const serves = scene.newService({ renews: false });
    const wanted = Array.from({ length: 150 }, (_, i) => serves.get(`client-${i}`));
    while ((await scene.service.overview(0)).due < 150) await turn();
    await scene.service.renewDue();
    await Promise.all(wanted);
    expect(new Set(scene.heard)).toEqual(new Set(['fresh']));
  });

  it('says so when there is none that does', async () => {
    const scene = new Scene();
    const serves = scene.newService({ renews: false });
    await expect(serves.get('c')).rejects.toMatchObject({
      reason: 'renewing',
      message: expect.stringContaining('does not renew'),
    });
    expect(scene.calls).toBe(0);
  });
});

describe('a connection that is cut', () => {
  const cut = () => Promise.reject(new ProviderUnavailable({ message: 'cut', cut: true }));

  it('is followed by one more request at once, and no reader notices', async () => {
    const scene = new Scene();
    scene.answer = () => (scene.calls === 1 ? cut() : Promise.resolve());
    expect((await scene.service.get('c')).accessToken).toBe('token-2');
    expect(scene.counted).toEqual(['none', '200']);
    expect(scene.heard).toEqual(['fresh']);
  });

  it('is the failure that is noted, where the provider fails too often for another request', async () => {
    const scene = new Scene();
    scene.answer = down;
    for (let i = 0; i < 19; i++) await scene.service.get(`client-${i}`).catch(() => undefined);
    scene.answer = cut;
    await expect(scene.service.get('c')).rejects.toMatchObject({ message: 'cut' });
    expect(await scene.service.attempts('c')).toMatchObject([{ outcome: 'failed', message: 'cut' }]);
    expect(scene.calls).toBe(20);
  });

  it('twice in a row is a failure like any other', async () => {
    const scene = new Scene();
    scene.answer = cut;
    await expect(scene.service.get('c')).rejects.toMatchObject({ reason: 'provider_unavailable' });
    expect(scene.calls).toBe(2);
    await scene.pass(30);
    expect(scene.calls).toBeLessThan(9);
  });
});
