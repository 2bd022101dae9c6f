import fc from 'fast-check';
import { ProviderUnavailable, Throttled } from '#providers';
import { startRedis } from '../../../test/harness/redis';
import { RedisTokenStore } from './store/redis-token-store';
import { Scene } from './scene.fixture';
import { TokenService } from './token-service';

const fail = (): Promise<void> => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));
const notSent = (): Promise<void> =>
  Promise.reject(new ProviderUnavailable({ message: 'no connection', reached: false }));

describe('the minimum interval between two requests of a client', () => {
  let scene: Scene;
  const interval = 1_800;
  beforeEach(() => {
    scene = new Scene();
    scene.renew = { min_interval_s: interval };
  });
  const get = (minTtlSeconds = 0, service = scene.service) => service.get('c', { minTtlSeconds });

  it('is kept by schedule, demand and retries alike, whatever the life of tokens and whatever fails', async () => {
    const script = fc.array(fc.record({ fails: fc.boolean(), lifeSeconds: fc.integer({ min: 10, max: 7_200 }) }), {
      minLength: 3,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(script, async (answers) => {
        const [fresh, asked] = [new Scene(), [] as number[]];
        fresh.renew = { min_interval_s: interval };
        const replica = fresh.newService();
        fresh.answer = async () => {
          const { fails, lifeSeconds } = answers[asked.length % answers.length]!;
          asked.push(fresh.clock.ms);
          fresh.lifeSeconds = lifeSeconds;
          if (fails) await fail();
        };
        for (let second = 0; second < 10_000; second += 20) {
          fresh.clock.ms += 19_000;
          await fresh.pass(1);
          for (const service of [fresh.service, replica]) await get(5_000, service).catch(() => undefined);
        }
        const gaps = asked.slice(1).map((at, i) => at - asked[i]!);
        expect(Math.min(...gaps)).toBeGreaterThanOrEqual(interval * 1_000);
        expect(asked.length).toBeGreaterThanOrEqual(2);
      }),
      { numRuns: 8 },
    );
  });

  it('outlasts the life of a token: readers hear when the next may be asked for', async () => {
    scene.lifeSeconds = 600;
    await get();
    scene.clock.ms += 601_000;
    await expect(get()).rejects.toMatchObject({ reason: 'not_yet', retryAfterSeconds: interval - 601 });
    scene.clock.ms += (interval - 601) * 1_000;
    expect((await get()).accessToken).toBe('token-2');
  });

  it('counts from an attempt that failed, and readers hear of it', async () => {
    scene.answer = fail;
    await expect(get()).rejects.toMatchObject({ reason: 'provider_unavailable', retryAfterSeconds: interval });
    expect((await scene.store.read('c')).dueInMs).toBe(interval * 1_000);
    await scene.pass(interval - 1);
    expect(scene.calls).toBe(1);
    await scene.pass(2);
    expect(scene.calls).toBe(2);
  });

  it('counts from the answer, since nobody knows when the request arrived', async () => {
    scene.lifeSeconds = 7_200;
    scene.answer = async () => {
      scene.clock.ms += 6_000;
    };
    await get();
    scene.clock.ms += interval * 1_000 - 1;
    expect((await get(7_200)).accessToken).toBe('token-1');
    scene.clock.ms += 1;
    expect((await get(7_200)).accessToken).toBe('token-2');
  });

  it('holds though the worker that asked last died before an answer came', async () => {
    const asked = new Promise<void>((resolve) => {
      scene.answer = () => new Promise(() => resolve());
    });
    scene.active = [{ id: 'c', version: 1, secretVersion: 1 }];
    await scene.service.reconcile();
    scene.clock.ms += 60_000;
    await scene.service.renewDue();
    await asked; // and is never heard of again
    const heir = scene.newService();
    scene.answer = () => Promise.resolve();
    for (let second = 0; second < interval - 1; second++) {
      scene.clock.ms += 1_000;
      await heir.renewDue();
      await heir.drain();
    }
    expect(scene.calls).toBe(1);
    scene.clock.ms += 1_000;
    expect((await get(0, heir)).accessToken).toBe('token-2');
  });

  it('does not hold up a retry when the provider cannot have heard of the request', async () => {
    scene.answer = notSent;
    await get().catch(() => undefined);
    await scene.pass(10);
    expect(scene.calls).toBeGreaterThan(2);
  });

  it('does not hold up other credentials', async () => {
    await get();
    scene.known = { secretVersion: 2 };
    await scene.service.change('c', 2);
    await scene.pass(1);
    expect(scene.calls).toBe(2);
  });
});

describe("the provider's quota", () => {
  it('I8: holds a client back without counting a failure, and readers hear for how long', async () => {
    const scene = new Scene();
    scene.renew = { quota: { requests: 2, per_s: 60 } };
    await scene.service.get('a');
    await scene.service.get('b');
    await expect(scene.service.get('c')).rejects.toMatchObject({ reason: 'not_yet', retryAfterSeconds: 65 });
    expect(scene.heard).toEqual(['fresh', 'fresh']);
    expect(await scene.store.read('c')).toMatchObject({ failures: 0 });
    await scene.pass(60);
    expect(scene.calls).toBe(2);
    await scene.pass(10);
    expect((await scene.service.get('c')).accessToken).toBe('token-3');
    expect(scene.counted).toHaveLength(scene.calls);
  });

  it('takes none of the many that wait for it for a retry, of which only few may be made', async () => {
    const scene = new Scene();
    scene.renew = { quota: { requests: 5, per_s: 10 } };
    const ids = Array.from({ length: 150 }, (_, i) => `client-${i}`);
    await scene.store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    for (let times = 0; times < 10; times++) {
      scene.clock.ms += 20_000;
      await scene.pass(1);
    }
    expect(scene.calls).toBe(50);
    expect(new Set(scene.heard)).toEqual(new Set(['fresh']));
  });

  it('leaves a failing client failing while it waits, and its good token served', async () => {
    const scene = new Scene();
    scene.renew = { quota: { requests: 2, per_s: 600 } };
    await scene.service.get('c');
    scene.answer = fail;
    await scene.pass(230);
    expect(scene.calls).toBe(2);
    expect(await scene.store.read('c')).toMatchObject({ failures: 1 });
    expect((await scene.service.get('c')).accessToken).toBe('token-1');
    expect(scene.heard).toEqual(['fresh', 'failing']);
  });

  it('gives back the minimum interval of a client that was not asked for after all', async () => {
    const scene = new Scene();
    scene.renew = { quota: { requests: 1, per_s: 60 }, min_interval_s: 3_600 };
    await scene.service.get('a');
    await scene.service.get('c').catch(() => undefined);
    await scene.pass(100);
    expect((await scene.service.get('c')).accessToken).toBe('token-2');
  });

  it('is for trials too: they hear when to come again, and what they take is counted', async () => {
    const scene = new Scene();
    scene.renew = { quota: { requests: 1, per_s: 60 } };
    const url = 'https://p.example/token';
    const definition = {
      ...{ id: 'p', inputs: {}, steps: [{ id: 'token', method: 'POST' as const, url }], renew: scene.renew },
      ...{ token: { value: '{{steps.token.body.t}}', expiry: [{ fixed_s: 300 }] }, present: {} },
    };
    const ask = jest.fn(async () => 'asked');
    expect(await scene.service.tryOut(definition, 'p.example', ask)).toBe('asked');
    const refusal: unknown = await scene.service.tryOut(definition, 'p.example', ask).catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(Throttled);
    expect((refusal as Throttled).failure).toMatchObject({ retryAfterSeconds: 62, reached: false });
    await expect(scene.service.get('c')).rejects.toMatchObject({ reason: 'not_yet' });
    scene.store.takePermits = () => Promise.reject(new Error('gone'));
    await expect(scene.service.tryOut(definition, 'p.example', ask)).rejects.toBeInstanceOf(Throttled);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(await scene.service.tryOut({ ...definition, renew: {} }, 'p.example', ask)).toBe('asked');
  });

  it('I8: is never exceeded by two replicas on one Redis, whatever is wanted of them, and all get their turn', async () => {
    const redis = await startRedis();
    const scene = new Scene();
    let shift = 0;
    const clock = { now: () => Date.now() + shift, monotonic: () => performance.now() + shift };
    const stores = [0, 1].map(() => new RedisTokenStore(redis.url, { clock }));
    const advance = (ms: number) => {
      shift += ms;
      for (const store of stores) store.clockShiftMs += ms;
    };
    const quota = { requests: 7, per_s: 20 };
    const steps = [{}, {}];
    const askedAt: number[] = [];
    let lifeSeconds = 0;
    const services = stores.map(
      (store) =>
        new TokenService({
          ...{ store, vault: scene.vault, clock },
          loadClient: async (id) => {
            const definition = { id: id.split('/')[0], steps, token: { expiry: [] }, renew: { quota } } as never;
            return { ...scene.client(id), definition };
          },
          requestToken: async () => {
            askedAt.push(clock.now());
            const sent = { sentAt: clock.now(), sentAtMonotonic: clock.monotonic() };
            return { ...(await scene.request()), ...sent, lifeSeconds };
          },
        }),
    );
    const tick = async (): Promise<void> => {
      await Promise.all(services.map((service) => service.renewDue()));
      await Promise.all(services.map((service) => service.drain()));
    };
    const demand = fc.record({
      afterMs: fc.integer({ min: 0, max: 5_000 }),
      clients: fc.uniqueArray(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }),
      replica: fc.nat(1),
      minTtlSeconds: fc.constantFrom(0, 25, 100),
    });
    try {
      await Promise.all(stores.map((store) => store.ready(5_000)));
      await fc.assert(
        fc.asyncProperty(fc.uuid(), fc.array(demand, { minLength: 10, maxLength: 30 }), async (run, demands) => {
          askedAt.length = 0;
          lifeSeconds = 30;
          for (const { afterMs, clients, replica, minTtlSeconds } of demands) {
            advance(afterMs);
            await Promise.allSettled(clients.map((n) => services[replica]!.get(`${run}/${n}`, { minTtlSeconds })));
            await tick();
          }
          for (const at of askedAt) {
            const inWindow = askedAt.filter((other) => other >= at && other < at + quota.per_s * 1_000).length;
            expect(inWindow * steps.length).toBeLessThanOrEqual(quota.requests);
          }
          const ids = [...new Set(demands.flatMap(({ clients }) => clients))].map((n) => `${run}/${n}`);
          const waiting = new Set(ids);
          lifeSeconds = 3_600; // until now they wanted more than the quota can give
          for (let round = 0; round < 200 && waiting.size > 0; round++) {
            advance(1_000);
            await tick();
            for (const id of waiting) if ((await stores[0]!.read(id)).token) waiting.delete(id);
          }
          expect([...waiting]).toEqual([]);
          await Promise.all(ids.map((id) => stores[0]!.remove(id)));
        }),
        { numRuns: 5, endOnFailure: true },
      );
    } finally {
      await Promise.all(stores.map((store) => store.close()));
      await redis.stop();
    }
  });
});

describe('the breaker of a provider that fails', () => {
  it('is told of while anybody asks, and not for ever when its clients are gone', async () => {
    const scene = new Scene();
    const ids = Array.from({ length: 25 }, (_, i) => `client-${i}`);
    scene.answer = fail;
    for (const id of ids) await scene.service.get(id).catch(() => undefined);
    await scene.pass(600);
    expect(scene.service.breakers()).toMatchObject([{ provider: 'p', state: 'open' }]);
    for (const id of ids) await scene.service.purge(id);
    scene.clock.ms += 3_600_000;
    expect(scene.service.breakers()).toEqual([]);
  });
});
