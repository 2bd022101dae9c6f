import { type Bench, claimedOf, eachWithItsClient, stores, token } from './stores.fixture';
import type { NewToken, TokenStore } from './token-store';

const hour = 3_600_000;
const failed = { failures: 1, refusals: 0 };

describe.each(stores)('a client in trouble, in %s,', (_, start) => {
  let bench: Bench;
  let store: TokenStore;
  let id: string;
  eachWithItsClient(start, (given) => ({ bench, store, id } = given));

  const claimed = async () => claimedOf(bench, id, (await store.read(id)).token?.generation);
  const comes = async (over: Partial<NewToken> = {}) =>
    store.commit(await claimed(), token(bench.now(), { runwayMs: hour, servableLifeMs: hour, ...over }));
  const dueNow = async () => (await store.claimDue(64)).claims.find((claim) => claim.clientId === id)!;
  const inTrouble = async () => (await store.overview(1_000)).leastRunway.some(({ clientId }) => clientId === id);

  it('is claimed as one to be tried again, when it is due as well as on demand, until it has a token', async () => {
    await store.enqueue([{ clientId: id, secretVersion: 1, dueInMs: 0 }]);
    const first = await dueNow();
    expect(first.retry).toBeUndefined();
    await store.postpone(first, 0, failed);
    const again = await claimed();
    expect(again.retry).toBe(true);
    await store.postpone(again, 0, failed);
    const due = await dueNow();
    expect(due.retry).toBe(true);
    await store.commit(due, token(bench.now(), { renewInMs: 1_000 }));
    bench.advance(1_001);
    expect((await dueNow()).retry).toBeUndefined();
  });

  it('is one whose claim was given back, too, though that is no attempt to be made again', async () => {
    await store.postpone(await claimed(), 0);
    const claim = await dueNow();
    expect(claim.retry).toBeUndefined();
    expect(await inTrouble()).toBe(true);
    await store.commit(claim, token(bench.now()));
    expect(await inTrouble()).toBe(false);
  });

  it('is in trouble no more once the provider gives its token again, unless that is not served any more', async () => {
    const life = { runwayMs: 60_000, servableLifeMs: 60_000, marginMs: 30_000, renewInMs: 40_000 };
    const one = { ...life, fingerprints: ['one'] };
    await comes(one);
    await store.postpone(await claimed(), 0, failed);
    expect(await inTrouble()).toBe(true);
    expect(await comes(one)).toMatchObject({ outcome: 'sticky' });
    expect(await inTrouble()).toBe(false);
    bench.advance((await store.read(id)).restMs ?? 0);
    await store.postpone(await claimed(), 0, failed);
    bench.advance(65_000);
    expect(await comes(one)).toMatchObject({ outcome: 'sticky' });
    expect(await inTrouble()).toBe(true);
  });

  it.each(['change', 'remove'] as const)('is in trouble no more after a %s', async (kind) => {
    await store.postpone(await claimed(), 0, failed);
    if (kind === 'change') await store.change(id, 2);
    else await store.remove(id);
    expect(await inTrouble()).toBe(false);
  });

  describe('or without a live token has its next renewal where the committer wants it in that case,', () => {
    const over = { renewInMs: 600_000, unplannedRenewInMs: 60_000 };
    const dueIn = async () => Math.round((await store.read(id)).dueInMs! / 1_000);

    it('with its first token', async () => {
      await comes(over);
      expect(await dueIn()).toBe(60);
    });

    it('with one after its token ended, and not with one before', async () => {
      await comes();
      await comes({ ...over, runwayMs: 2 * hour });
      expect(await dueIn()).toBe(600);
      bench.advance(2 * hour + 1);
      await comes(over);
      expect(await dueIn()).toBe(60);
    });

    it('with one after failures', async () => {
      await comes();
      await store.postpone(await claimed(), 0, failed);
      await comes({ ...over, runwayMs: 2 * hour });
      expect(await dueIn()).toBe(60);
    });

    it('but no sooner than the provider may be asked', async () => {
      await comes({ ...over, minIntervalMs: 90_000 });
      expect(await dueIn()).toBe(90);
    });

    it('and not where that is not said, or the token is the same again', async () => {
      await comes({ renewInMs: 600_000 });
      expect(await dueIn()).toBe(600);
      await store.remove(id);
      // Served in parts of ten minutes: the same token is stored again.
      const part = { ...over, fingerprints: ['one'], runwayMs: 600_000, servableLifeMs: 600_000, marginMs: 2 * hour };
      await comes(part);
      await store.postpone(await claimed(), 0, failed);
      bench.advance(300_000);
      expect(await comes(part)).toMatchObject({ outcome: 'stored' });
      expect(await dueIn()).toBe(600);
    });
  });
});
