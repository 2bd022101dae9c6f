import { runwayMs, type ServableToken, TokenCache } from './token-cache';

const clock = { now: () => 1_000_000, monotonic: () => 5_000 };

function tokenOf(generation: string, livesMs: number): ServableToken {
  const [serveUntil, serveUntilMonotonic] = [clock.now() + livesMs, clock.monotonic() + livesMs];
  return {
    ...{
      clientId: 'c',
      generation,
      accessToken: `token ${generation}`,
      tokenType: 'Bearer',
      headers: {},
      json: {} as never,
    },
    ...{ serveUntil, serveUntilMonotonic, servableLifeMs: livesMs, secretVersion: 1 },
  };
}

describe('the tokens of a process', () => {
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
});
