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

  describe('one that gave way to a later token with a shorter time, once that is over', () => {
    /** By the store's clock it is good for long, by ours for a moment. */
    const short = (generation: string, livesMs = 1_000) => ({
      ...tokenOf(generation, livesMs),
      servableLifeMs: 10_000,
    });
    const servedThen = (newcomer: Partial<ServableToken>, rejected?: string) => {
      passedMs = 0;
      const cache = new TokenCache(clock, () => true);
      cache.keep(tokenOf('10', 9_000));
      expect(cache.keep({ ...short('20'), ...newcomer }).generation).toBe('20');
      expect(cache.fresh('c')?.generation).toBe('20');
      if (rejected !== undefined) cache.giveWay('c', rejected);
      passedMs = 1_000;
      expect(cache.fresh('c')).toBeUndefined(); // the store has to be asked first
      return [cache.servable('c')?.generation, ((passedMs = 9_000), cache.servable('c')?.generation)];
    };

    it('is served for as long as it is good itself', () => {
      expect(servedThen({})).toEqual(['10', undefined]);
    });

    it('is not where the later one ended it, was got with other secrets, or its provider takes it no more', () => {
      expect(servedThen({ singleLive: true })).toEqual([undefined, undefined]);
      expect(servedThen({ secretVersion: 2 })).toEqual([undefined, undefined]);
      expect(servedThen({}, '10')).toEqual([undefined, undefined]);
    });

    it('is not where the later one was stored although it lives less: its provider takes the earlier one no more', () => {
      expect(servedThen({ servableLifeMs: 8_999 })).toEqual([undefined, undefined]);
    });

    it('is not where its provider took it no more before, though the store had no other yet', () => {
      const cache = new TokenCache(clock, () => true);
      const first = cache.keep(tokenOf('10', 9_000));
      cache.giveWay('c', '10');
      expect(cache.keep(tokenOf('10', 9_000))).toBe(first);
      cache.keep(short('20'));
      passedMs = 1_000;
      expect(cache.servable('c')).toBeUndefined();
    });

    it('is kept while others of a short time come and go', () => {
      const cache = new TokenCache(clock, () => true);
      for (const token of [tokenOf('10', 9_000), short('20'), short('30', 2_000)]) cache.keep(token);
      passedMs = 2_000;
      expect(cache.servable('c')?.generation).toBe('10');
    });
  });
});
