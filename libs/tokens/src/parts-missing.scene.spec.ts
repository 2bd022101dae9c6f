import { ProviderUnavailable } from '#providers';
import { CannotOpen } from '#vault';
import { Scene } from './scene.fixture';

const away = () => Promise.reject(new Error('gone'));
const until = async (holds: () => Promise<boolean>) => {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 1_000) throw new Error('it did not come to pass');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};
const down = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));

describe('while the token store is away', () => {
  let scene: Scene;
  const get = async (service = scene.service) => (await service.get('c')).accessToken;
  const loseStore = () => {
    Object.assign(scene.store, { read: away, claimDue: away, claimOne: away, change: away, commit: away });
  };
  const tick = async (seconds: number) => {
    for (let passed = 0; passed < seconds; passed++) {
      scene.clock.ms += 1_000;
      await scene.service.renewDue().catch(() => 0);
    }
  };
  beforeEach(() => {
    scene = new Scene();
  });

  it('a token that is still good is served to its end, and then the provider is asked once for all who want the next', async () => {
    await get();
    loseStore();
    await tick(260);
    expect(await get()).toBe('token-1');
    expect(scene.calls).toBe(1);
    await tick(15);
    const tokens = await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(new Set(tokens)).toEqual(new Set(['token-2']));
    await tick(250);
    expect(await get()).toBe('token-2');
    expect(scene.calls).toBe(2);
  });

  it('for less than five seconds no provider is asked: it may be failing over', async () => {
    loseStore();
    await tick(4);
    await expect(get()).rejects.toMatchObject({ reason: 'store_unavailable' });
    expect(scene.calls).toBe(0);
    await tick(3);
    expect(await get()).toBe('token-1');
  });

  it('a client that this process has never seen is looked up once for all who want its token', async () => {
    let loads = 0;
    scene.load = async (id) => (loads++, scene.client(id));
    loseStore();
    await tick(10);
    await Promise.all(Array.from({ length: 100 }, () => get()));
    expect(loads).toBe(1);
    scene.renew = { single_live: true }; // what may not be minted without the store
    await Promise.all(Array.from({ length: 100 }, () => expect(scene.service.get('d')).rejects.toThrow('store')));
    expect(loads).toBe(2);
  });

  it('in part, as a shard of a cluster, the same goes for its clients, and for them alone', async () => {
    const read = scene.store.read.bind(scene.store);
    Object.assign(scene.store, { read: (id: string) => (id === 'c' ? away() : read(id)) });
    await scene.service.get('other');
    for (let second = 0; second < 5; second++) {
      await expect(get()).rejects.toMatchObject({ reason: 'store_unavailable' });
      await tick(1);
    }
    expect(await get()).toBe('token-2');
    scene.store.read = read;
    expect(await get()).toBe('token-2');
    scene.store.read = away;
    await expect(scene.service.get('another')).rejects.toMatchObject({ reason: 'store_unavailable' });
    expect(scene.calls).toBe(2);
  });

  it('generations go on from the one that was served last, so that what the store gives out later is higher', async () => {
    await get();
    const { generation } = await scene.service.get('c');
    loseStore();
    scene.wallShiftMs = 600_000; // our clock is not Redis'
    await tick(275);
    scene.wallShiftMs = 0;
    const alone = await scene.service.get('c');
    expect(alone.accessToken).toBe('token-2');
    expect(Number(alone.generation)).toBe(Number(generation) + 1);
  });

  it('each replica has a token of its own, and no more than one for each life', async () => {
    loseStore();
    const other = scene.newService();
    await other.renewDue().catch(() => 0);
    await tick(10);
    expect([await get(), await get(other), await get(), await get(other)]).toEqual([
      ...['token-1', 'token-2', 'token-1', 'token-2'],
    ]);
  });

  it.each([
    ['a new token ends the one before', { single_live: true }],
    ['there is a quota', { quota: { requests: 5, per_s: 60 } }],
    ['requests must be an interval apart', { min_interval_s: 60 }],
  ])('a provider is not asked where %s: replicas cannot keep to that apart', async (_, renew) => {
    scene.renew = renew;
    loseStore();
    await tick(10);
    await expect(get()).rejects.toMatchObject({ reason: 'store_unavailable' });
    expect(scene.calls).toBe(0);
  });

  it('a provider that fails is asked every five seconds at most, and its failure told', async () => {
    loseStore();
    scene.answer = down;
    await tick(10);
    for (let second = 0; second < 20; second++) {
      await expect(get()).rejects.toMatchObject({ reason: 'provider_unavailable' });
      await tick(1);
    }
    expect(scene.calls).toBe(4);
  });

  it('I1: a token that was over before it arrived is not served, and not asked for again at once', async () => {
    loseStore();
    await tick(10);
    scene.lifeSeconds = 5;
    scene.answer = async () => void (scene.clock.ms += 6_000);
    await expect(get()).rejects.toMatchObject({ reason: 'provider_misconfigured' });
    await expect(get()).rejects.toMatchObject({ reason: 'provider_misconfigured' });
    expect(scene.calls).toBe(1);
  });

  it('a client that cannot be opened has no token, and the reason is told', async () => {
    loseStore();
    scene.load = () => Promise.reject(new CannotOpen('not with these keys'));
    await tick(10);
    await expect(get()).rejects.toMatchObject({ reason: 'cannot_open' });
  });

  it('never more than twenty providers are asked at a time', async () => {
    loseStore();
    await tick(10);
    let asked = 0;
    scene.answer = () => new Promise(() => asked++);
    const ids = Array.from({ length: 200 }, (_, i) => `client-${i}`);
    const answers = ids.map((id) => scene.service.get(id).catch((error: { reason: string }) => error.reason));
    const first = await Promise.race([...answers]);
    expect(first).toBe('store_unavailable');
    await until(async () => asked > 0);
    expect(asked).toBe(20);
  });

  it('a replica that does not renew asks nobody', async () => {
    loseStore();
    const serves = scene.newService({ renews: false });
    await expect(get(serves)).rejects.toMatchObject({ reason: 'store_unavailable' });
    await tick(10);
    await expect(get(serves)).rejects.toMatchObject({ reason: 'store_unavailable' });
    expect(scene.calls).toBe(0);
  });

  it('what was fetched meanwhile is served until its end when the store is back empty, and renewed by the queue', async () => {
    const whole = { ...scene.store };
    const methods = ['read', 'claimDue', 'claimOne', 'change', 'commit'] as const;
    const originals = methods.map((name) => [name, scene.store[name].bind(scene.store)] as const);
    loseStore();
    await tick(10);
    expect(await get()).toBe('token-1');
    Object.assign(scene.store, whole, Object.fromEntries(originals));
    expect(await get()).toBe('token-1');
    await scene.store.enqueue([{ clientId: 'c', secretVersion: 1, dueInMs: 0 }]);
    await scene.pass(1);
    await tick(11);
    expect(await get()).toBe('token-2');
    expect(scene.calls).toBe(2);
  });
});

describe('a queue that was lost', () => {
  it('gets back first the clients whose tokens are asked for, then all, and knows then that it is whole', async () => {
    const scene = new Scene();
    scene.active = Array.from({ length: 500 }, (_, i) => ({ id: `client-${i}`, version: 1, secretVersion: 1 }));
    await scene.service.reconcile();
    await scene.service.get('client-7');
    await scene.store.close(); // empties it
    const { lost } = await scene.store.claimDue(1);
    expect(lost).toBe(true);
    await scene.service.renewDue();
    const depth = async () => (await scene.service.overview(1)).depth;
    await until(async () => (await depth()) > 0);
    expect(await depth()).toBe(1);
    expect((await scene.service.overview(1)).next[0]?.clientId).toBe('client-7');
    await until(async () => (await depth()) === 500);
    await until(async () => !(await scene.store.claimDue(0)).lost);
    expect(scene.heard.filter((heard) => heard.startsWith('fault'))).toEqual([]);
  });

  it('gets back those whose tokens are asked for spread as well, not all at the moment at which the others come', async () => {
    const scene = new Scene();
    scene.active = Array.from({ length: 500 }, (_, i) => ({ id: `client-${i}`, version: 1, secretVersion: 1 }));
    await scene.service.reconcile();
    for (const { id } of scene.active) await scene.service.get(id);
    await scene.store.close();
    await scene.service.renewDue();
    await until(async () => !(await scene.store.claimDue(0)).lost);
    expect(await scene.service.overview(0)).toMatchObject({ depth: 500, due: 0 });
  });

  it('gets back its clients within seconds of a first try that failed, as while a cluster is not whole yet', async () => {
    const scene = new Scene();
    scene.active = [{ id: 'c', version: 1, secretVersion: 1 }];
    const { enqueue } = scene.store;
    scene.store.enqueue = () => Promise.reject(new Error('the cluster is down'));
    await scene.service.renewDue();
    await until(async () => scene.heard.includes('fault: rebuilding the queue'));
    scene.store.enqueue = enqueue;
    await until(async () => {
      await scene.service.renewDue();
      return (await scene.service.overview(0)).depth === 1;
    });
  });

  it('gets back all clients that this process knows of while the database is away', async () => {
    const scene = new Scene();
    scene.active = Array.from({ length: 50 }, (_, i) => ({ id: `client-${i}`, version: 1, secretVersion: 1 }));
    await scene.service.reconcile();
    await scene.store.close();
    scene.active = undefined as never; // reading it throws
    await scene.service.renewDue();
    const depth = async () => (await scene.service.overview(1)).depth;
    await until(async () => (await depth()) === 50);
    expect((await scene.store.claimDue(0)).lost).toBe(true); // to be tried again
  });
});

describe('clients in memory', () => {
  it('cost the database no look-up for their renewals, until a reconciling finds another version', async () => {
    const scene = new Scene();
    let loads = 0;
    const { load } = scene;
    scene.load = async (id) => (loads++, load(id));
    scene.active = [{ id: 'c', version: 1, secretVersion: 1 }];
    for (let minute = 0; minute < 30; minute++) {
      await scene.service.reconcile();
      await scene.pass(60);
    }
    expect(scene.calls).toBeGreaterThan(8);
    expect(loads).toBe(0);
    scene.active = [{ id: 'c', version: 2, secretVersion: 1 }];
    scene.known = { version: 2 };
    await scene.service.reconcile();
    await scene.pass(100);
    expect(loads).toBe(0);
    await scene.service.change('c', 1); // by an admin: what was in memory goes at once
    await scene.pass(1);
    expect(loads).toBeGreaterThan(0);
  });

  it('that are not there yet are all loaded at the first reconciling, and renewed while the database is away', async () => {
    const scene = new Scene();
    scene.active = [{ id: 'c', version: 1, secretVersion: 1 }];
    await scene.service.reconcile();
    scene.load = away;
    await scene.pass(2);
    expect((await scene.service.get('c')).accessToken).toBe('token-1');
  });
});
