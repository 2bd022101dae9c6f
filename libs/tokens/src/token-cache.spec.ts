import { runwayMs, type ServableToken, TokenCache } from './token-cache';

let passedMs = 0;
const clock = { now: () => 1_000_000 + passedMs, monotonic: () => 5_000 + passedMs };

function tokenOf(generation: string, livesMs: number): ServableToken {
  const [serveUntil, serveUntilMonotonic] = [clock.now() + livesMs, clock.monotonic() + livesMs];
  return {
    ...{ clientId: 'c', generation, accessToken: `token ${generation}`, tokenType: 'Bearer', headers: {} },
    json: { accessToken: `"token ${generation}"`, rest: '"headers":{}' },
    ...{ serveUntil, serveUntilMonotonic, servableLifeMs: livesMs, secretVersion: 1 },
  };
}

describe('the tokens of a process', () => {
  beforeEach(() => (passedMs = 0));

  it('do not go back to an earlier one when the store has lost its last writes', () => {
    const cache = new TokenCache(clock, () => true);
    const later = cache.keep(tokenOf('20', 9_000));
    expect(cache.keep(tokenOf('10', 4_000))).toBe(later);
    expect(cache.fresh('c')).toBe(later);
  });

  it('take what the store has where only one of generation and end is later, or the later one is over', () => {
    const cache = new TokenCache(clock, () => true);
    cache.keep(tokenOf('20', 4_000));
    expect(cache.keep(tokenOf('10', 9_000)).generation).toBe('10'); // its clock has stepped back
    expect(cache.keep(tokenOf('30', 4_000)).generation).toBe('30');
    cache.keep({ ...tokenOf('40', 9_000), serveUntilMonotonic: clock.monotonic() });
    expect(runwayMs(cache.keep(tokenOf('35', 5_000)), clock)).toBe(5_000);
  });

  describe('while the store has a later one that has less time left, by clocks that differ', () => {
    /** By the clock of who stored it, it is good for 10 s. */
    const newcomer = (different: Partial<ServableToken> = {}) => ({
      ...{ ...tokenOf('20', 1_000), servableLifeMs: 10_000 },
      ...different,
    });
    const keptBeside = (different?: Partial<ServableToken>, rejected?: string) => {
      const cache = new TokenCache(clock, () => true);
      cache.keep(tokenOf('10', 9_000));
      if (rejected !== undefined) cache.giveWay('c', rejected);
      cache.keep(newcomer(different));
      return cache.fresh('c')?.generation;
    };

    it('are served for as long as they last', () => {
      const cache = new TokenCache(clock, () => true);
      cache.keep(tokenOf('10', 9_000));
      expect(cache.keep(newcomer()).generation).toBe('10');
      passedMs = 8_500;
      expect(cache.fresh('c')?.generation).toBe('10');
      passedMs = 9_000;
      expect(cache.servable('c')).toBeUndefined();
      expect(cache.keep(tokenOf('30', 2_000)).generation).toBe('30');
    });

    it('give way where the later one ended them, was got with other secrets, or their provider takes them no more', () => {
      expect(keptBeside()).toBe('10');
      expect(keptBeside({ singleLive: true })).toBe('20');
      expect(keptBeside({ secretVersion: 2 })).toBe('20');
      expect(keptBeside({}, '10')).toBe('20');
      expect(keptBeside({}, '5')).toBe('10');
    });

    it('give way to one that was stored although it lives less: another replica knows that they are refused', () => {
      expect(keptBeside({ servableLifeMs: 8_999 })).toBe('20');
    });

    it('give way where they were refused before the store had another one', () => {
      const cache = new TokenCache(clock, () => true);
      const first = cache.keep(tokenOf('10', 9_000));
      cache.giveWay('c', '10');
      expect(cache.keep(tokenOf('10', 9_000))).toBe(first);
      expect(cache.keep(newcomer()).generation).toBe('20');
    });
  });
});
