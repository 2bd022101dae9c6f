import { ProviderUnavailable } from '#providers';
import { Scene } from './scene.fixture';

const clients = 2_000;

/** Many clients of one provider, whose tokens live 300 s, on a clock that goes by the second. */
describe('a crowd of clients', () => {
  let scene: Scene;
  let callsInSecond: number[];
  beforeEach(async () => {
    let seed = 1;
    scene = new Scene(() => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647);
    callsInSecond = [];
    const ids = Array.from({ length: clients }, (_, i) => `client-${i}`);
    await scene.store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    await scene.store.markWhole();
  });
  /** Ticks four times a second, as the schedule does. */
  const pass = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second++) {
      const before = scene.calls;
      for (let tick = 0; tick < 4; tick++) {
        scene.clock.ms += 250;
        await scene.service.renewDue();
        await scene.service.drain();
      }
      callsInSecond.push(scene.calls - before);
    }
  };
  /** In buckets of 15 s, in which chance alone makes some 8 % of difference. */
  const buckets = (from: number) => {
    const counts: number[] = [];
    for (let at = from; at + 15 <= callsInSecond.length; at += 15)
      counts.push(callsInSecond.slice(at, at + 15).reduce((sum, count) => sum + count, 0));
    return counts;
  };
  const peakToMean = (counts: number[]) =>
    Math.max(...counts) / (counts.reduce((sum, count) => sum + count, 0) / counts.length);

  it('that began in the same second is no herd any more after two cycles, for which one call each is paid at most', async () => {
    await pass(15);
    expect(scene.calls).toBeGreaterThanOrEqual(clients);
    await pass(1_200);
    expect(peakToMean(buckets(2 * 195))).toBeLessThanOrEqual(1.3);
    const cycles = 1_215 / 195;
    expect(scene.calls).toBeLessThanOrEqual((cycles + 1.5) * clients);
  }, 60_000);

  it('whose provider was down past the end of its tokens is none either, and the provider is asked little meanwhile', async () => {
    await pass(400);
    scene.answer = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));
    const before = scene.calls;
    await pass(600);
    // Until half of the calls of ten seconds have failed, some ten a second; and then one every five seconds.
    expect(scene.calls - before).toBeLessThanOrEqual(100 + 600 / 5);
    scene.answer = () => Promise.resolve();
    const recovering = callsInSecond.length;
    await pass(400);
    const served = (await scene.service.states(['client-0', 'client-1', 'client-999'])).map(
      ({ token }) => token?.runwayMs,
    );
    expect(served.every((runway) => (runway ?? 0) > 0)).toBe(true);
    await pass(600);
    expect(peakToMean(buckets(recovering + 300 + 2 * 195))).toBeLessThanOrEqual(1.3);
  }, 120_000);

  it('that no more than two thirds of the possible renewals are needed for is late once, and not for ever', async () => {
    await pass(400);
    const claimDue = scene.store.claimDue.bind(scene.store);
    scene.store.claimDue = () => claimDue(4); // 16 a second, where 10.3 are planned
    scene.clock.ms += 60_000; // nobody renews meanwhile
    await pass(1_000);
    const before = scene.calls;
    await pass(300);
    expect((scene.calls - before) / 300).toBeLessThan(12);
    expect((await scene.service.overview(0)).due).toBeLessThan(16); // what a second takes
  }, 60_000);

  it('is asked for no later than its tokens end, where the provider wants a pause that is nearly as long', async () => {
    scene = new Scene(() => 0.999);
    scene.renew = { min_interval_s: 55 };
    scene.lifeSeconds = 62;
    const ids = Array.from({ length: 20 }, (_, i) => `client-${i}`);
    await scene.store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    await scene.service.renewDue();
    await scene.service.drain();
    const late = (await scene.service.states(ids)).filter(({ token, dueInMs }) => dueInMs! >= token!.runwayMs);
    expect(late).toEqual([]);
  });
});

describe('clients that were renewed late, as after a worker died', () => {
  /** How soon after the late renewal the next ones are planned, s; a token lives 300. */
  const nextAfter = async (count: number): Promise<number[]> => {
    let seed = 1;
    const scene = new Scene(() => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647);
    const ids = Array.from({ length: count }, (_, i) => `client-${i}`);
    for (const clientId of ids) {
      await scene.store.enqueue([{ clientId, secretVersion: 1, dueInMs: 0 }]);
      await scene.pass(2); // no crowd, to begin with
    }
    scene.clock.ms += 211_000;
    await scene.pass(1);
    return (await scene.service.states(ids)).map(({ dueInMs }) => dueInMs! / 1_000);
  };

  it('are renewed when it is time again where they are a handful, and spread where they are many', async () => {
    expect(Math.min(...(await nextAfter(9)))).toBeGreaterThanOrEqual(180);
    expect(Math.min(...(await nextAfter(40)))).toBeLessThan(100);
  });
});
