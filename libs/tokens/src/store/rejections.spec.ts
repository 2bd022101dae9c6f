import { randomUUID } from 'node:crypto';
import { type Bench, claimedOf, clusterBench, eachWithItsClient, stores, token } from './stores.fixture';
import { leaseMs, minRestMs, type TokenStore } from './token-store';

const limit = 30_000;
const living = (ms: number) => ({ runwayMs: ms, servableLifeMs: ms });

describe.each([...stores, ['a Redis Cluster', clusterBench] as const])(
  'a token that its provider no longer takes, in %s,',
  (kind, start) => {
    let bench: Bench;
    let store: TokenStore;
    let id: string;
    let generation: string;
    eachWithItsClient(start, (given) => ({ bench, store, id } = given));
    beforeEach(async () => {
      generation = await stored();
      bench.advance(minRestMs);
    });

    const stored = async (over = {}, seen?: string): Promise<string> => {
      const claim = await claimedOf(bench, id, seen);
      await store.commit(claim, token(bench.now(), over));
      return claim.generation;
    };
    const reject = (which = generation, take = true) => store.claimRejected(id, which, limit, take);
    const claimed = async () => {
      const answer = await reject();
      if (answer.outcome !== 'claimed') throw new Error(`not claimed but ${answer.outcome}`);
      return answer.claim;
    };

    it('is claimed by one of many who say so, and is served until the next one is there', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => reject()));
      expect(answers.filter(({ outcome }) => outcome === 'claimed')).toHaveLength(1);
      expect(answers.filter(({ outcome }) => outcome === 'held')).toHaveLength(19);
      expect((await store.read(id)).token).toMatchObject({ generation });
    });

    it('is none of its business where another one is stored, or none', async () => {
      expect(await reject('1')).toEqual({ outcome: 'newer' });
      expect(await reject(String(Number(generation) + 1))).toEqual({ outcome: 'newer' });
      expect(await store.claimRejected(randomUUID(), generation, limit, true)).toEqual({ outcome: 'newer' });
      await stored({}, generation);
      expect(await reject()).toEqual({ outcome: 'newer' });
    });

    it('is left alone by who only looks', async () => {
      expect(await reject(generation, false)).toEqual({ outcome: 'free' });
      expect(await reject(generation, false)).toEqual({ outcome: 'free' });
      await claimed();
      expect(await reject(generation, false)).toMatchObject({ outcome: 'held' });
    });

    it('is followed by no second forced renewal before the limit is over, whatever became of the first', async () => {
      const claim = await claimed();
      await store.commit(claim, token(bench.now(), { runwayMs: 300_000 }));
      bench.advance(minRestMs);
      const answer = await reject(claim.generation);
      expect(answer).toMatchObject({ outcome: 'resting' });
      expect((answer as { waitMs: number }).waitMs).toBeGreaterThan(limit - 5_000);
      bench.advance(limit);
      expect(await reject(claim.generation)).toMatchObject({ outcome: 'claimed' });
      bench.advance(leaseMs + 1); // who claimed it has died
      expect(await reject(claim.generation)).toMatchObject({ outcome: 'resting' });
      bench.advance(limit - leaseMs);
      expect(await reject(claim.generation)).toMatchObject({ outcome: 'claimed' });
    });

    it('waits for the time after a failure', async () => {
      const claim = await claimed();
      const lastFailure = { code: 'down', message: 'm', at: bench.now() };
      await store.postpone(claim, 60_000, { failures: 1, refusals: 0, lastFailure });
      bench.advance(limit + 1);
      expect(await reject()).toMatchObject({ outcome: 'resting' });
      bench.advance(60_000);
      const again = await claimed();
      expect(again.retry).toBe(true);
    });

    it('waits for the minimum interval of its provider', async () => {
      await store.commit(
        await claimedOf(bench, id, generation),
        token(bench.now(), { minIntervalMs: 600_000, runwayMs: 900_000 }),
      );
      const { token: now } = await store.read(id);
      bench.advance(300_000);
      expect(await reject(now!.generation)).toMatchObject({ outcome: 'resting' });
      bench.advance(300_001);
      expect(await reject(now!.generation)).toMatchObject({ outcome: 'claimed' });
    });

    it('is replaced by another one that ends sooner', async () => {
      const claim = await claimed();
      expect((await store.commit(claim, token(bench.now(), { ...living(100_000), renewInMs: 50_000 }))).outcome).toBe(
        'stored',
      );
      expect((await store.read(id)).token).toMatchObject({ generation: claim.generation });
      // What is stored now was not rejected: the rule for all tokens holds again.
      const next = await claimedOf(bench, id, claim.generation);
      expect((await store.commit(next, token(bench.now(), living(50_000)))).outcome).toBe('sticky');
    });

    it('is not replaced by itself, and the provider is left alone for a while then', async () => {
      const fingerprints = ['abcdef'];
      generation = await stored({ fingerprints, ...living(300_000) }, generation);
      bench.advance(minRestMs);
      const claim = await claimed();
      expect((await store.commit(claim, token(bench.now(), { fingerprints, ...living(300_000) }))).outcome).toBe(
        'sticky',
      );
      expect((await store.read(id)).token).toMatchObject({ generation });
      bench.advance(limit + 1);
      expect(await reject()).toMatchObject({ outcome: 'resting' });
    });

    it('is not kept back by a limit that was written before the clock stepped back', async () => {
      const claim = await claimed();
      await store.postpone(claim, 0);
      // The clock of a single process is one that nobody can set.
      if (kind === 'memory') bench.advance(limit);
      bench.setClock(-3_600_000);
      expect(await reject()).toMatchObject({ outcome: 'claimed' });
      bench.setClock(3_600_000);
    });
  },
);
