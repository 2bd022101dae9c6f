import { Scene } from './scene.fixture';

describe('a tick', () => {
  let scene: Scene;
  beforeEach(() => void (scene = new Scene()));
  const enqueue = (count: number, from = 0) =>
    scene.store.enqueue(
      Array.from({ length: count }, (_, i) => ({ clientId: `client-${from + i}`, secretVersion: 1, dueInMs: 0 })),
    );

  it('goes on claiming while there is much to do, without waiting for the next tick', async () => {
    await enqueue(1_000);
    await scene.service.renewDue();
    for (let turns = 0; scene.calls < 1_000 && turns < 3_000; turns++) await new Promise(setImmediate);
    expect(scene.calls).toBe(1_000);
  });

  it('begins its renewals one after the other, for those who read and for the provider; what is late at once', async () => {
    const turns = async (): Promise<void> => {
      for (let turn = 0; turn < 120; turn++) await new Promise(setImmediate);
    };
    const replica = scene.newService({ spreadOverMs: 3_600_000 }); // an hour, of which each gets four milliseconds
    await enqueue(40);
    const begun = replica.renewDue();
    await new Promise(setImmediate);
    expect(scene.calls).toBeLessThan(40);
    expect(await begun).toBe(40);
    await replica.drain();
    expect(scene.calls).toBe(40);
    await enqueue(40, 40);
    scene.clock.ms += 1_000;
    void replica.renewDue();
    await turns();
    expect(scene.calls).toBe(80);
  });

  it('asks the store no second time where the first brought all that was due', async () => {
    await enqueue(150);
    const claimDue = jest.spyOn(scene.store, 'claimDue');
    expect(await scene.service.renewDue()).toBe(150);
    await scene.service.drain();
    for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
    expect(claimDue).toHaveBeenCalledTimes(1);
  });
});
