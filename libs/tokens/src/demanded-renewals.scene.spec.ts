import { CredentialsRefused, ProviderUnavailable } from '#providers';
import { conditionOf } from './condition';
import { Scene } from './scene.fixture';

const down = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));
const refused = () => Promise.reject(new CredentialsRefused({ message: 'refused', providerStatus: 401 }));
const turn = () => new Promise(setImmediate);

describe('a renewal that an admin asks for', () => {
  let scene: Scene;
  const condition = async () => conditionOf((await scene.service.states(['c']))[0]!);
  beforeEach(async () => {
    scene = new Scene();
    await scene.service.get('c');
    scene.clock.ms += 10_000;
  });

  it('is made at once, though none is due', async () => {
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'renewed' });
    expect((await scene.service.get('c')).accessToken).toBe('token-2');
  });

  it('is made though the last attempts failed and the next is planned for later', async () => {
    scene.answer = down;
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'failed' });
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'failed' });
    expect((await scene.service.get('c')).accessToken).toBe('token-1');
    scene.answer = () => Promise.resolve();
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'renewed' });
    expect(scene.calls).toBe(4);
  });

  it('keeps to the interval that the provider wants between two requests', async () => {
    scene.renew = { min_interval_s: 60 };
    await scene.service.change('c', 1);
    scene.clock.ms += 60_000;
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'renewed' });
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'not_yet', retryAfterSeconds: 60 });
    expect(scene.calls).toBe(2);
  });

  it('is one with the renewal that somebody else is at', async () => {
    let answer!: () => void;
    scene.answer = () => new Promise((resolve) => (answer = resolve));
    const first = scene.service.renewNow('c');
    while (scene.calls < 2) await turn();
    const second = scene.service.renewNow('c');
    await turn();
    answer();
    expect(await first).toEqual({ outcome: 'renewed' });
    expect(await second).toEqual({ outcome: 'renewed' });
    expect(scene.calls).toBe(2);
  });

  it('is `kept` where the provider gave the token that is stored already, each time', async () => {
    scene.issue = () => ({ text: 'token-1', lifeSeconds: 290 });
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'kept' });
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'kept' });
    expect(scene.calls).toBe(3);
    expect((await scene.service.attempts('c')).map(({ outcome }) => outcome)).toEqual(['kept', 'kept', 'renewed']);
  });

  it('leaves confirmed what it confirms once more: that the credentials are refused', async () => {
    scene.answer = refused;
    await scene.service.renewNow('c');
    await scene.service.renewNow('c');
    expect(await condition()).toBe('credentials_refused');
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'failed' });
    expect(await condition()).toBe('credentials_refused');
    expect((await scene.service.states(['c']))[0]).toMatchObject({ failures: 3, refusals: 3 });
    expect(scene.heard).toEqual(['fresh', 'failing', 'credentials_refused', 'credentials_refused']);
  });

  it('is `not_yet`, and says for how long, where the quota is used up', async () => {
    scene.renew = { quota: { requests: 1, per_s: 60 } };
    await scene.service.change('c', 1);
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'renewed' });
    const { outcome, retryAfterSeconds } = await scene.service.renewNow('c');
    expect(outcome).toBe('not_yet');
    expect(retryAfterSeconds).toBeGreaterThanOrEqual(60);
    expect(scene.calls).toBe(2);
  });

  it('is `not_yet` where the provider fails too often to be asked, and no failure that nobody saw', async () => {
    scene.answer = down;
    for (let i = 0; i < 40; i++) await scene.service.get(`client-${i}`).catch(() => undefined);
    const calls = scene.calls;
    const { outcome, retryAfterSeconds } = await scene.service.renewNow('c');
    expect(outcome).toBe('not_yet');
    expect(retryAfterSeconds).toBeGreaterThan(0);
    expect(scene.calls).toBe(calls);
  });

  it('is `held` where the token that came was overtaken by a change, after which another one is due', async () => {
    scene.answer = async () => scene.service.change('c', 2);
    expect(await scene.service.renewNow('c')).toEqual({ outcome: 'held' });
    expect((await scene.service.states(['c']))[0]!.dueInMs).toBe(0);
  });

  it('tells a replica that does not renew what another one made of it', async () => {
    const serves = scene.newService({ renews: false });
    const asked = async () => {
      const result = serves.renewNow('c');
      while ((await scene.service.renewDue()) === 0) await turn();
      await scene.service.drain();
      return result;
    };
    expect(await asked()).toEqual({ outcome: 'renewed' });
    scene.answer = refused;
    expect(await asked()).toEqual({ outcome: 'failed' });
  });
});
