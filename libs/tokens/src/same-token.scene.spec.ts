import { Scene } from './scene.fixture';

/** A provider that repeats a token until so long before its end, and knows when each one ends. */
class Repeating {
  readonly ends = new Map<string, number>();
  #current = '';

  constructor(
    private readonly scene: Scene,
    private readonly options: { lifeSeconds: number; windowSeconds: number; told: 'whole life' | 'remaining life' },
  ) {
    scene.issue = () => this.#issue();
  }

  #issue(): { text: string; lifeSeconds: number } {
    const { lifeSeconds, windowSeconds, told } = this.options;
    const now = this.scene.clock.now();
    const left = (this.ends.get(this.#current) ?? 0) - now;
    if (left <= windowSeconds * 1_000) {
      this.#current = `token-${this.ends.size + 1}`;
      this.ends.set(this.#current, now + lifeSeconds * 1_000);
      return { text: this.#current, lifeSeconds };
    }
    // Whole seconds, as such providers tell it.
    return { text: this.#current, lifeSeconds: told === 'whole life' ? lifeSeconds : Math.floor(left / 1_000) };
  }
}

/** Reads once a second, with all kinds of wishes. Returns for how many seconds there was no token. */
async function readFor(scene: Scene, provider: Repeating, seconds: number, asideEach?: () => void): Promise<number> {
  let without = 0;
  for (let second = 0; second < seconds; second++) {
    await scene.pass(1);
    asideEach?.();
    const token = await scene.service.get('c', { minTtlSeconds: (second * 7) % 4_000 }).catch(() => undefined);
    if (!token) without++;
    else expect(scene.clock.now() + scene.service.runwaySeconds(token) * 1_000).toBeLessThanOrEqual(endOf(token));
  }
  return without;

  function endOf({ accessToken }: { accessToken: string }): number {
    return provider.ends.get(accessToken)!;
  }
}

describe('a provider that repeats the token with its whole life, until 60 s before its end', () => {
  const toast = (scene: Scene) => new Repeating(scene, { lifeSeconds: 3_600, windowSeconds: 60, told: 'whole life' });

  it('I1, I2: is asked once for each token, inside that window, and none is served past its end', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 60 };
    const provider = toast(scene);
    await scene.service.get('c');
    expect(await readFor(scene, provider, 3 * 3_600)).toBe(0);
    expect(scene.calls).toBe(provider.ends.size);
    expect(provider.ends.size).toBe(4); // the first one, and one for each life less a window
    expect(scene.heard).toEqual(['fresh']);
    expect(scene.counted).toHaveLength(scene.calls);
  });

  it('I1: none is served past its end where nobody said so, and the provider is not asked in a hot loop', async () => {
    const scene = new Scene();
    const provider = toast(scene);
    await scene.service.get('c');
    const without = await readFor(scene, provider, 3 * 3_600);
    expect(without).toBeLessThanOrEqual(3 * 5);
    expect(scene.heard).not.toContain('failing');
    expect(scene.calls / provider.ends.size).toBeLessThan(16);
  });

  it('I1: none is served past its end after changes that leave the credentials alone', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 60 };
    const provider = toast(scene);
    await scene.service.get('c');
    let second = 0;
    const change = () => (++second % 600 === 0 ? void scene.service.change('c', 1) : undefined);
    expect(await readFor(scene, provider, 3 * 3_600, change)).toBe(0);
    expect(scene.calls).toBeLessThanOrEqual(provider.ends.size + 18); // one for each change
  });

  it('I1, I2: the same with a minimum interval that would leave no time for a second attempt', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 60, min_interval_s: 1_800 };
    const provider = toast(scene);
    await scene.service.get('c');
    expect(await readFor(scene, provider, 2 * 3_600)).toBe(0);
    expect(scene.calls).toBe(provider.ends.size);
  });

  it('is asked again inside the window, when it repeats the token in there too', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 60 };
    const provider = new Repeating(scene, { lifeSeconds: 3_600, windowSeconds: 40, told: 'whole life' });
    await scene.service.get('c');
    expect(await readFor(scene, provider, 3_590)).toBe(0);
    expect(provider.ends.size).toBe(2);
    expect(scene.calls).toBeLessThanOrEqual(4);
    expect(scene.heard).toEqual(['fresh', 'sticky']);
  });
});

describe('a provider that tells the remaining life, and gives another token only at the end of one', () => {
  it('I1, I2: is asked once for each token, and there is none for no more than a few seconds', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 0 };
    const provider = new Repeating(scene, { lifeSeconds: 3_600, windowSeconds: 0, told: 'remaining life' });
    await scene.service.get('c');
    const without = await readFor(scene, provider, 3 * 3_600);
    expect(scene.calls).toBe(provider.ends.size);
    expect(provider.ends.size).toBe(3);
    expect(without).toBeLessThanOrEqual(3 * 3);
    expect(scene.heard).toEqual(['fresh']);
  });

  it('whose token was in use before is asked for the next one at the end of that', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 0 };
    const provider = new Repeating(scene, { lifeSeconds: 3_600, windowSeconds: 0, told: 'remaining life' });
    scene.issue(); // somebody else's
    scene.clock.ms += 3_000_500;
    const { accessToken } = await scene.service.get('c');
    expect(accessToken).toBe('token-1');
    await readFor(scene, provider, 610);
    expect((await scene.service.get('c')).accessToken).toBe('token-2');
    expect(scene.calls).toBe(2);
  });

  it('says when a token can be asked for, to who comes in between', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 0 };
    void new Repeating(scene, { lifeSeconds: 3_600, windowSeconds: 0, told: 'remaining life' });
    await scene.service.get('c');
    scene.clock.ms += 3_599_100;
    await expect(scene.service.get('c')).rejects.toMatchObject({ reason: 'not_yet', retryAfterSeconds: 3 });
    expect(scene.calls).toBe(1);
  });
});

describe('a client that may have tokens for ten minutes, of a provider that repeats them', () => {
  it('is served without a gap, and none past its end', async () => {
    const scene = new Scene();
    scene.renew = { sticky_window_s: 60 };
    scene.known = { maxLifeSeconds: 600 };
    const provider = new Repeating(scene, { lifeSeconds: 3_600, windowSeconds: 60, told: 'whole life' });
    const { service } = scene;
    expect(service.runwaySeconds(await service.get('c'))).toBe(570);
    expect(await readFor(scene, provider, 3 * 3_600)).toBe(0);
  });
});

describe('a session, which lives so long after it was last asked for', () => {
  it('is served on without a gap, since no answer says when it will end', async () => {
    const scene = new Scene();
    const expiry = [{ jwt_exp: true as const }, { in: '{{inputs.session_minutes}}', unit: 'min' as const }];
    scene.known = { definition: { ...scene.client('c').definition, token: { value: '', expiry } } };
    scene.issue = () => ({ text: 'the session', lifeSeconds: 900 });
    for (let second = 0; second < 5_000; second++) {
      await scene.pass(1);
      expect((await scene.service.get('c')).accessToken).toBe('the session');
    }
    expect(scene.calls).toBe(1 + Math.floor(5_000 / (900 * 0.65 + 1)));
  });
});

describe('a token that is made without asking anyone', () => {
  it('is as new as its maker says, were it the same each time, and takes nothing of a quota', async () => {
    const scene = new Scene();
    const renew = { quota: { requests: 1, per_s: 86_400 } };
    scene.known = { definition: { ...scene.client('c').definition, steps: [], renew } };
    scene.issue = () => ({ text: 'the key itself', lifeSeconds: 300 });
    for (let second = 0; second < 1_000; second++) {
      await scene.pass(1);
      expect((await scene.service.get('c')).accessToken).toBe('the key itself');
    }
    expect(scene.heard).toEqual(['fresh']);
  });
});
