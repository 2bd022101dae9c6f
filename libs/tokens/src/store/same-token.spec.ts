import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type Bench, claimedOf, eachWithItsClient, stores, token } from './stores.fixture';
import type { Commit, NewToken, TokenStore } from './token-store';

const hour = 3_600_000;
const skew = 30_000;

describe.each(stores)('a token that comes again, in %s,', (kind, start) => {
  let bench: Bench;
  let store: TokenStore;
  let id: string;
  eachWithItsClient(start, (given) => ({ bench, store, id } = given));

  const read = () => store.read(id);
  const runway = async () => (await read()).token?.runwayMs ?? 0;
  /** Asked for as soon as it may be, a token of an hour comes, served up to 30 s before its end unless said otherwise. */
  const comes = async (text: string, over: Partial<NewToken> = {}): Promise<Commit> => {
    const { token: seen, restMs = 0 } = await read();
    bench.advance(restMs);
    const claim = await claimedOf(bench, id, seen?.generation);
    const life = { runwayMs: hour - skew, servableLifeMs: hour - skew, marginMs: skew };
    return store.commit(claim, token(bench.now(), { ...life, fingerprints: [text], ...over }));
  };
  const about = (ms: number) => ({ from: ms - 3_000, to: ms + 3_000 });
  const expectAbout = (ms: number, { from, to }: { from: number; to: number }) => {
    expect(ms).toBeGreaterThanOrEqual(from);
    expect(ms).toBeLessThanOrEqual(to);
  };

  it('I1: gets no later end than it had, whatever life is told for it, and though its secret was changed', async () => {
    const step = fc.record({
      afterMs: fc.integer({ min: 0, max: hour / 2 }),
      lifeMs: fc.integer({ min: 31_000, max: 2 * hour }),
      marginMs: fc.integer({ min: 1_000, max: 30_000 }),
      changed: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
        id = randomUUID();
        expect(await comes('same')).toMatchObject({ outcome: 'stored' });
        let end = bench.now() + (await runway()) + skew;
        let secretVersion = 1;
        for (const { afterMs, lifeMs, marginMs, changed } of steps) {
          bench.advance(afterMs);
          if (changed) await store.change(id, ++secretVersion);
          bench.advance((await read()).restMs ?? 0);
          if (bench.now() > end + 5_000) break; // from then on it would be a token that did not end as told
          const runwayMs = lifeMs - marginMs;
          end = Math.min(end, bench.now() + lifeMs + 2_000);
          await comes('same', { runwayMs, servableLifeMs: runwayMs, marginMs, secretVersion, renewInMs: runwayMs });
          expect(bench.now() + (await runway())).toBeLessThan(end);
        }
        await store.remove(id);
      }),
      { numRuns: 60 },
    );
  });

  it('is no failure: failures are forgotten, and the next is asked for when there is one, where that is known', async () => {
    await comes('same', { nextBeforeEndMs: 50_000 });
    const claim = await claimedOf(bench, id, (await read()).token!.generation);
    await store.postpone(claim, 0, { failures: 3, refusals: 1 });
    bench.advance(hour / 2);
    expect(await comes('same', { nextBeforeEndMs: 50_000 })).toEqual({ outcome: 'sticky', freshAgain: true });
    const { failures, refusals, dueInMs } = await read();
    expect({ failures, refusals }).toEqual({ failures: 0, refusals: 0 });
    expectAbout(dueInMs!, about(hour / 2 - 50_000));
  });

  it('inside that window, and where none is known, is asked for after half of what remains', async () => {
    await comes('same');
    bench.advance(hour / 2);
    expect(await comes('same')).toMatchObject({ outcome: 'sticky' });
    expectAbout((await read()).dueInMs!, about((hour / 2 - skew) / 2));
    bench.advance((await runway()) - 20_000);
    await comes('same', { nextBeforeEndMs: 60_000 });
    expectAbout((await read()).dueInMs!, about(10_000));
  });

  it('of ten years is asked for once a month, as others are', async () => {
    const tenYears = { runwayMs: 315_360_000_000, servableLifeMs: 315_360_000_000 };
    await comes('same', tenYears);
    expect(await comes('same', tenYears)).toMatchObject({ outcome: 'sticky' });
    expectAbout((await read()).dueInMs!, about(30 * 24 * hour));
  });

  it('though its life is told as remaining, is the same token: nothing is stored anew', async () => {
    await comes('same');
    const { token: first } = await read();
    bench.advance(hour / 2);
    const remaining = { runwayMs: hour / 2 - 20_000, servableLifeMs: hour / 2 - 20_000, marginMs: 20_000 };
    expect(await comes('same', remaining)).toMatchObject({ outcome: 'sticky' });
    expect((await read()).token!.generation).toBe(first!.generation);
  });

  it('with a sooner end than was known is served no longer than that', async () => {
    await comes('same');
    expect(await comes('same', { runwayMs: 60_000, servableLifeMs: 60_000 })).toMatchObject({ outcome: 'stored' });
    expect(await runway()).toBeLessThanOrEqual(60_000);
  });

  it('I1: when it is not served any more is not served again, and ends no failures; the next one does', async () => {
    await comes('same');
    await store.postpone(await claimedOf(bench, id, (await read()).token!.generation), 0, { failures: 1, refusals: 0 });
    bench.advance((await runway()) + 1_000);
    expect(await comes('same')).toEqual({ outcome: 'sticky', freshAgain: false });
    expect(await read()).toMatchObject({ failures: 1 });
    expect(await runway()).toBeLessThanOrEqual(0);
    expectAbout((await read()).dueInMs!, { from: 10_000, to: 15_000 }); // half of what its end is still away
    expect(await comes('other')).toEqual({ outcome: 'stored', freshAgain: true });
  });

  it('long after its end did not end as told, and is served', async () => {
    await comes('same');
    bench.advance(hour + 11_000);
    expect(await comes('same')).toMatchObject({ outcome: 'stored' });
    expectAbout(await runway(), about(hour - skew));
  });

  it('of which its client may have a part at a time is served on, up to its end and no further', async () => {
    const tenMinutes = { runwayMs: 570_000, servableLifeMs: 570_000 };
    await comes('same', { ...tenMinutes, marginMs: hour - 570_000 });
    const end = bench.now() + hour;
    for (let served = 0; served < 12; served++) {
      bench.advance(290_000);
      await comes('same', { ...tenMinutes, marginMs: hour - 570_000 });
      expect(bench.now() + (await runway())).toBeLessThanOrEqual(end - 29_000);
      if (bench.now() < end - 300_000) expect(await runway()).toBeGreaterThan(0);
    }
  });

  it('of which its client had a part at a time, and may have all now, is served up to its end', async () => {
    await comes('same', { runwayMs: 570_000, servableLifeMs: 570_000, marginMs: hour - 570_000 });
    bench.advance(290_000);
    const rest = hour - 290_000 - skew;
    expect(await comes('same', { runwayMs: rest, servableLifeMs: rest })).toMatchObject({ outcome: 'stored' });
    expectAbout(await runway(), about(rest));
  });

  it('up to its very end is asked for after that', async () => {
    await comes('same', { nextBeforeEndMs: -1_500 });
    bench.advance(hour / 2);
    expect(await comes('same', { nextBeforeEndMs: -1_500 })).toMatchObject({ outcome: 'sticky' });
    expectAbout((await read()).dueInMs!, about(hour / 2 + 1_500));
  });

  it('after a change of its secret belongs to the new one', async () => {
    await comes('same');
    await store.change(id, 2);
    bench.advance(hour / 2);
    expect(await comes('same', { secretVersion: 2, nextBeforeEndMs: 50_000 })).toMatchObject({ outcome: 'stored' });
    const { token: stored, dueInMs } = await read();
    expect(stored).toMatchObject({ secretVersion: 2 });
    expectAbout(stored!.runwayMs, about(hour / 2 - skew));
    expectAbout(dueInMs!, about(hour / 2 - 50_000));
  });

  it('is known by the fingerprint that an older master key made', async () => {
    await comes('by-old-key');
    bench.advance(60_000);
    const fingerprints = ['by-new-key', 'by-old-key'];
    expect(await comes('', { fingerprints })).toMatchObject({ outcome: 'sticky' });
    expect(await comes('', { fingerprints: ['by-new-key'] })).toMatchObject({ outcome: 'stored' });
  });

  it('is a new one where it was made without asking anyone', async () => {
    await comes('', { fingerprints: [] });
    bench.advance(60_000);
    expect(await comes('', { fingerprints: [] })).toMatchObject({ outcome: 'stored' });
  });

  it.each([-600_000, 600_000])("I1: gets no later end when the store's own clock is set by %d ms", async (shift) => {
    if (kind === 'memory') return; // its clock cannot be set
    await comes('same');
    const end = bench.now() + hour;
    bench.advance(300_000);
    bench.setClock(shift);
    try {
      await comes('same');
      expect(bench.now() + (await runway())).toBeLessThan(end);
    } finally {
      bench.setClock(-shift);
    }
  });

  it('makes room for one that has ended it, were that to end sooner, as no other token does', async () => {
    await comes('one');
    const shorter = { runwayMs: 60_000, servableLifeMs: 60_000 };
    expect(await comes('two', shorter)).toMatchObject({ outcome: 'sticky' });
    expect(await comes('three', { ...shorter, endsOthers: true })).toMatchObject({ outcome: 'stored' });
  });

  it('is not asked for sooner on demand, where the next is planned for after its end', async () => {
    await comes('same', { marginMs: 1_000, runwayMs: 59_000, servableLifeMs: 59_000, renewInMs: 61_500 });
    const { generation } = (await read()).token!;
    bench.advance(59_500);
    expect(await store.claimOne(id, generation)).toMatchObject({ outcome: 'resting' });
    bench.advance(2_000);
    expect(await store.claimOne(id, generation)).toMatchObject({ outcome: 'claimed' });
  });
});
