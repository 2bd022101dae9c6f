import { CredentialsRefused, ProviderUnavailable } from '#providers';
import { CannotOpen, KeyRing, newMasterKey, Vault } from '#vault';
import { TokenUnavailable } from './errors';
import { Scene } from './scene.fixture';
import { TokenService } from './token-service';

const refuse = () => Promise.reject(new CredentialsRefused({ message: 'refused', hint: 'look' }));
const fail = () => Promise.reject(new ProviderUnavailable({ message: 'down', providerStatus: 502 }));

describe('TokenService', () => {
  let scene: Scene;
  const get = async (minTtlSeconds = 0) => (await scene.service.get('c', { minTtlSeconds })).accessToken;
  beforeEach(() => {
    scene = new Scene();
  });

  it('asks the provider once for a thousand readers, and hands out headers ready to send', async () => {
    const tokens = await Promise.all(Array.from({ length: 1_000 }, () => scene.service.get('c')));
    expect(scene.calls).toBe(1);
    expect(new Set(tokens).size).toBe(1);
    expect(tokens[0]!.headers).toEqual({ authorization: 'Bearer token-1' });
  });

  it('renews ahead of need: one call for each 65 % of a life, and no reader notices', async () => {
    await get();
    for (let minute = 0; minute < 60; minute++) {
      await scene.pass(60);
      expect(scene.service.runwaySeconds(await scene.service.get('c'))).toBeGreaterThan(0);
    }
    expect(scene.calls).toBe(1 + Math.floor(3_600 / (300 * 0.65 + 1)));
    expect(scene.heard).toEqual(['fresh']);
  });

  it('I1: serves nothing past the margin of its life', async () => {
    scene.lifeSeconds = 10;
    const token = await scene.service.get('c');
    scene.answer = fail;
    scene.clock.ms += 8_999;
    expect(await get()).toBe(token.accessToken);
    scene.clock.ms += 1;
    expect(scene.service.peek('c')).toBeUndefined();
    await expect(get()).rejects.toMatchObject({
      code: 'token_unavailable',
      reason: 'provider_unavailable',
      retryAfterSeconds: 1,
    });
  });

  it('takes a token to live no longer than its client may have it', async () => {
    scene.known = { maxLifeSeconds: 100 };
    expect(scene.service.runwaySeconds(await scene.service.get('c'))).toBe(90);
  });

  it('counts the life from before the request was sent', async () => {
    scene.answer = async () => {
      scene.clock.ms += 20_000;
    };
    expect(scene.service.runwaySeconds(await scene.service.get('c'))).toBe(250);
  });

  it.each([-600_000, 600_000])(
    'I1: holds when the wall clock jumps by %d ms while a request is under way',
    async (shift) => {
      scene.answer = async () => {
        scene.clock.ms += 20_000;
        scene.wallShiftMs = shift;
      };
      const token = await scene.service.get('c').catch(() => undefined);
      if (token) expect(scene.service.runwaySeconds(token)).toBeLessThanOrEqual(250);
      else expect(shift).toBeGreaterThan(0); // to us it seems to be over: refused rather than served dead
    },
  );

  it('I9: goes on serving a good token while the provider fails, and heals when it is back', async () => {
    await get();
    scene.answer = fail;
    await scene.pass(240);
    expect(await get()).toBe('token-1');
    expect(scene.heard).toContain('failing');
    scene.answer = () => Promise.resolve();
    await scene.pass(40);
    expect(await get()).not.toBe('token-1');
    expect(scene.heard.at(-1)).toBe('fresh');
  });

  it('I9: a store that does not answer takes no good token away, and nothing is served after its life', async () => {
    await get();
    scene.store.read = () => Promise.reject(new Error('gone'));
    scene.clock.ms += 60_000;
    expect(await get()).toBe('token-1');
    scene.renew = { single_live: true }; // what may not be minted without the store
    scene.known = {};
    scene.clock.ms += 211_000;
    await expect(get()).rejects.toMatchObject({ reason: 'store_unavailable' });
  });

  it('I9: a store that lost everything takes no good token away either', async () => {
    await get();
    await scene.store.close(); // empties it
    scene.answer = fail;
    scene.clock.ms += 60_000;
    expect(await get()).toBe('token-1');
    scene.clock.ms += 211_000;
    await expect(get()).rejects.toMatchObject({ reason: 'provider_unavailable' });
  });

  it('I1: serves nothing that the clock which nobody can set says is over, whatever store and wall clock say', async () => {
    const { serveUntilMonotonic } = await scene.service.get('c');
    scene.answer = fail;
    scene.clock.ms = serveUntilMonotonic;
    const read = scene.store.read.bind(scene.store);
    scene.store.read = async (id) => {
      const state = await read(id);
      return state.token ? { ...state, token: { ...state.token, runwayMs: 100_000 } } : state;
    };
    await expect(get()).rejects.toBeInstanceOf(TokenUnavailable);
  });

  it('does not ask again and again for a token that is over when it arrives, or shorter than was wanted', async () => {
    scene.lifeSeconds = 0.001;
    scene.answer = async () => {
      scene.clock.ms += 10;
    };
    for (let i = 0; i < 50; i++) await expect(get()).rejects.toMatchObject({ reason: 'provider_misconfigured' });
    expect(scene.calls).toBeLessThanOrEqual(2);
    scene.lifeSeconds = 5;
    scene.answer = async () => {
      scene.clock.ms += 600;
    };
    await scene.service.change('c', 1);
    const { calls } = scene;
    for (let i = 0; i < 20; i++) await get(3_600);
    expect(scene.calls - calls).toBe(1);
  });

  it('a refusal counts only when it follows a refusal', async () => {
    const answers = [refuse, fail, refuse, fail, refuse];
    scene.answer = () => (answers.shift() ?? fail)();
    await get().catch(() => undefined);
    await scene.pass(60);
    expect(answers).toEqual([]);
    expect(scene.heard).not.toContain('credentials_refused');
  });

  it('confirms a refusal before it says so, then probes slowly, and heals on a change', async () => {
    scene.answer = refuse;
    await expect(get()).rejects.toBeInstanceOf(TokenUnavailable);
    expect(scene.heard).toEqual(['failing']);
    await scene.pass(5);
    expect(scene.heard.at(-1)).toBe('credentials_refused');
    const { calls } = scene;
    await scene.pass(230);
    expect(scene.calls).toBe(calls);
    await expect(get()).rejects.toMatchObject({ reason: 'credentials_refused' });
    expect(scene.calls).toBe(calls); // readers do not hammer either
    scene.answer = () => Promise.resolve();
    await scene.service.change('c', 1);
    await scene.pass(1);
    expect(scene.heard.at(-1)).toBe('fresh');
  });

  it('renews for min_ttl once it is needed, and never at every read', async () => {
    scene.lifeSeconds = 100;
    await get(80);
    scene.clock.ms += 20_000;
    expect(await get(70)).toBe('token-1');
    expect(await get(75)).toBe('token-2');
    for (let i = 0; i < 10; i++) await get(1_000);
    expect(scene.calls).toBe(2);
  });

  it('I6: takes the token that a changed client was tried with, and no older one', async () => {
    await get();
    await scene.service.admit({ ...scene.client('c'), secretVersion: 2 }, await scene.request());
    expect(await get()).toBe('token-2');
    await scene.pass(5);
    expect(scene.calls).toBe(2);
  });

  it('loads a client anew when its token turns out to be got with an old secret', async () => {
    await get();
    await scene.store.change('c', 2); // by another replica, whose news got lost
    scene.known = { secretVersion: 2 };
    await scene.pass(3);
    expect(scene.heard).not.toContain('failing');
    expect((await scene.store.read('c')).token!.secretVersion).toBe(2);
  });

  it('isolates a client that cannot be opened', async () => {
    scene.known = { inputs: () => Promise.reject(new CannotOpen()) };
    await expect(get()).rejects.toMatchObject({ reason: 'cannot_open' });
    expect(scene.calls).toBe(0);
    scene.known = {};
    expect(await scene.service.get('other')).toBeDefined();
  });

  it('goes on renewing a client it knows while the database is away', async () => {
    await get();
    scene.load = () => Promise.reject(new Error('database gone'));
    await scene.pass(250);
    expect(scene.calls).toBe(2);
    await expect(scene.service.get('never-seen')).rejects.toMatchObject({ reason: 'client_not_loaded' });
  });

  it('forgets a client that is gone, and does not resurrect it from a renewal under way', async () => {
    scene.answer = () => scene.service.purge('c');
    await expect(get()).rejects.toBeInstanceOf(TokenUnavailable);
    expect(scene.heard).toContain('fenced');
    expect((await scene.service.overview(1)).depth).toBe(0);
    scene.known = undefined;
    await expect(get()).rejects.toBeInstanceOf(TokenUnavailable);
    expect((await scene.service.overview(1)).depth).toBe(0);
  });

  it('asks a provider that gives the same token again less and less, never in a hot loop', async () => {
    await get();
    scene.lifeSeconds = 1; // what it gives from now on ends no later than what is stored
    await scene.pass(265);
    expect(scene.heard).toContain('sticky');
    expect(scene.calls).toBeLessThan(12);
  });

  it('asks less and less where the database lost a change of secret that the store heard of, and says so', async () => {
    await scene.store.change('c', 5);
    await scene.pass(300);
    expect(scene.calls).toBeLessThan(12);
    await expect(get()).rejects.toMatchObject({ reason: 'client_not_loaded' });
    scene.known = { secretVersion: 5 };
    await scene.service.change('c', 5);
    await scene.pass(1);
    expect(await get()).toMatch('token-');
  });

  it('takes no more work once it is stopped', async () => {
    scene.active = [{ id: 'c', version: 1, secretVersion: 1 }];
    await scene.service.reconcile();
    scene.service.stop();
    await scene.pass(5);
    expect(scene.calls).toBe(0);
  });

  it('an observer that throws hinders neither the others nor the renewal', async () => {
    const heard: string[] = [];
    const service = new TokenService({
      ...{ store: scene.store, vault: new Vault(KeyRing.parse(newMasterKey('k'))), clock: scene.clock },
      requestToken: () => scene.request(),
      loadClient: async (id) => scene.client(id),
      observers: [
        {
          renewed: () => {
            throw new Error('observer');
          },
        },
        { renewed: () => heard.push('renewed') },
      ],
    });
    expect((await service.get('c')).accessToken).toBe('token-1');
    expect(heard).toEqual(['renewed']);
  });
});
