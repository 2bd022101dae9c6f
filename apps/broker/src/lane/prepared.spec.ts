import type { ServableToken } from '#tokens';
import { Prepared } from './prepared';

const tokenOf = (clientId: string): ServableToken => ({ clientId }) as ServableToken;

describe('prepared answers', () => {
  let prepared: Prepared<{ token: ServableToken; bytes: Buffer }>;
  beforeEach(() => (prepared = new Prepared()));
  /** Whether it was there already, or else is kept from now on. */
  const ask = (token: ServableToken, bytes = 2_000): boolean => {
    const isThere = prepared.of(token) !== undefined;
    if (!isThere && prepared.isWorth(token)) prepared.keep({ token, bytes: { length: bytes } as Buffer });
    return isThere;
  };

  it('are kept from the second time on, and stay though ten thousand others are asked for once', () => {
    const token = tokenOf('often');
    expect([ask(token), ask(token), ask(token)]).toEqual([false, false, true]);
    const others = Array.from({ length: 10_000 }, (_, i) => tokenOf(`c${i}`));
    for (let round = 0; round < 2; round++) for (const other of others) ask(other);
    expect(others.filter((other) => prepared.of(other))).toEqual([]);
    expect(ask(token)).toBe(true);
  });

  it('are those of the present token of a client', () => {
    const [before, after] = [tokenOf('c'), tokenOf('c')];
    for (let i = 0; i < 2; i++) ask(before);
    expect([ask(after), ask(after), ask(before)]).toEqual([false, true, false]);
  });

  it.each([
    [2_000, 2_000],
    [100_000, 41],
    [5_000_000, 0],
  ])('of %d bytes each are no more than %d', (bytes, most) => {
    const tokens = Array.from({ length: 3_000 }, (_, i) => tokenOf(`c${i}`));
    for (const token of tokens) for (let i = 0; i < 2; i++) ask(token, bytes);
    const kept = tokens.filter((token) => prepared.of(token));
    expect(kept).toEqual(tokens.slice(tokens.length - most));
  });

  it('are let go when somebody else has their bytes', () => {
    const token = tokenOf('c');
    for (let i = 0; i < 2; i++) ask(token);
    prepared.letGo(token);
    expect(prepared.of(token)).toBeUndefined();
  });
});
