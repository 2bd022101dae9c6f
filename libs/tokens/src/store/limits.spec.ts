import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type Bench, claimedOf, eachWithItsClient, stores, token } from './stores.fixture';
import { type Claim, leaseMs, type TokenStore } from './token-store';

const interval = 1_800_000;
const failed = { failures: 1, refusals: 0 };

describe.each(stores)("a provider's limits, in %s:", (kind, start) => {
  let bench: Bench;
  let store: TokenStore;
  let id: string;
  eachWithItsClient(start, (given) => ({ bench, store, id } = given));
  beforeEach(() => store.enqueue([{ clientId: id, secretVersion: 1, dueInMs: 0 }]));

  const dueNow = async () => (await store.claimDue(64)).claims.filter((claim) => claim.clientId === id);
  const stored = async () => (await store.read(id)).token?.generation;
  /** A claim for which the provider is being asked, for so long. */
  const asked = async (forMs = 0): Promise<Claim> => {
    const claim = await claimedOf(bench, id, await stored());
    expect(await store.asking(claim, interval)).toBe('go');
    bench.advance(forMs);
    return claim;
  };
  /** ms during which nobody gets the client; 0 when somebody does, or could by waiting for the schedule. */
  const rest = async (): Promise<number> => {
    const { restMs = 0, dueInMs = 0 } = await store.read(id);
    const answer = await store.claimOne(id, await stored());
    return answer.outcome === 'resting' ? Math.min(restMs, dueInMs) : 0;
  };

  describe('the minimum interval between two requests', () => {
    it('begins anew when a token was stored, however short its life', async () => {
      await store.commit(
        await asked(8_000),
        token(bench.now(), { runwayMs: 10_000, renewInMs: interval, minIntervalMs: interval }),
      );
      expect(await rest()).toBeCloseTo(interval, -4);
      bench.advance(interval - 20_000);
      expect(await store.claimOne(id, await stored())).toMatchObject({ outcome: 'resting' });
      bench.advance(20_001);
      expect(await dueNow()).toHaveLength(1);
    });

    it('begins anew when the same token came again', async () => {
      const life = {
        runwayMs: 2 * interval,
        servableLifeMs: 2 * interval,
        fingerprints: ['same'],
        minIntervalMs: interval,
      };
      await store.commit(await asked(8_000), token(bench.now(), life));
      bench.advance(interval);
      expect((await store.commit(await asked(8_000), token(bench.now(), life))).outcome).toBe('sticky');
      expect(await rest()).toBeCloseTo(interval, -4);
    });

    it('begins anew after a failure that the provider may have heard of', async () => {
      await store.postpone(await asked(8_000), interval, failed, { minIntervalMs: interval });
      expect(await rest()).toBeCloseTo(interval, -4);
    });

    it('is forgotten when the provider cannot have heard of the request', async () => {
      await store.postpone(await asked(), 1_000, failed, { minIntervalMs: 0 });
      bench.advance(1_001);
      const [claim] = await dueNow();
      expect(await store.asking(claim!, interval)).toBe('go');
    });

    it('holds though the worker died with its request sent', async () => {
      await asked();
      bench.advance(leaseMs + 1_000);
      expect(await dueNow()).toEqual([]);
      expect(await rest()).toBeCloseTo(interval - leaseMs - 1_000, -4);
    });

    it('holds though the client is due, as one that was put back into the queue is', async () => {
      await store.postpone(await asked(), 1_000, failed, { minIntervalMs: interval });
      bench.advance(1_001);
      const [claim] = await dueNow();
      expect(await store.asking(claim!, interval)).toBe('early');
      expect(await rest()).toBeCloseTo(interval - 1_001, -4);
    });

    it('holds after a change that leaves the secret alone', async () => {
      await store.postpone(await asked(), interval, failed, { minIntervalMs: interval });
      await store.change(id, 1);
      expect(await rest()).toBeCloseTo(interval, -4);
    });

    it('is none between other credentials, however the store hears of them', async () => {
      await store.postpone(await asked(), interval, failed, { minIntervalMs: interval });
      await store.change(id, 2);
      expect(await store.asking((await dueNow())[0]!, interval)).toBe('go');
      await store.enqueue([{ clientId: id, secretVersion: 3, dueInMs: 0 }]);
      bench.advance(leaseMs);
      const [claim] = await dueNow();
      expect(await store.asking(claim!, interval)).toBe('go');
      expect((await store.commit(claim!, token(bench.now(), { secretVersion: 2 }))).outcome).toBe('outdated');
      const [next] = await dueNow();
      expect(await store.asking(next!, interval)).toBe('go');
      expect(await store.postpone(next!, 1, failed, { secretVersion: 2, minIntervalMs: interval })).toBe('outdated');
      expect(await store.asking((await dueNow())[0]!, interval)).toBe('go');
    });

    it("holds when the store's clock steps back, and for no longer than once more", async () => {
      if (kind === 'memory') return; // its clock cannot be set
      await store.postpone(await asked(), 1_000, failed, { minIntervalMs: interval });
      bench.setClock(-3_600_000);
      try {
        const claim = await claimedOf(bench, id);
        expect(await store.asking(claim, interval)).toBe('early');
        expect(await rest()).toBeCloseTo(interval, -4);
        bench.advance(interval);
        expect(await store.asking((await dueNow())[0]!, interval)).toBe('go');
      } finally {
        bench.setClock(3_600_000);
      }
    });

    it('lets nobody ask whose claim holds no more', async () => {
      const claim = await claimedOf(bench, id);
      await store.change(id, 1);
      expect(await store.asking(claim, interval)).toBe('fenced');
    });

    it('does not hinder whoever has the token already', async () => {
      await asked();
      bench.advance(leaseMs + 1);
      expect(await store.claimOne(id, undefined, 0)).toMatchObject({ outcome: 'claimed' });
    });

    it("is not prolonged by a step of the store's clock beyond what it was", async () => {
      await store.postpone(await asked(), interval, failed, { minIntervalMs: interval });
      bench.setClock(-600_000);
      try {
        expect((await store.read(id)).restMs ?? 0).toBeLessThanOrEqual(interval);
      } finally {
        bench.setClock(600_000);
      }
    });
  });

  describe('a claim that was not used', () => {
    it('is given back without a word on failures, and nobody takes it sooner', async () => {
      await store.postpone(await claimedOf(bench, id), 1, { failures: 3, refusals: 2 });
      bench.advance(2);
      await store.postpone(await claimedOf(bench, id), 40_000);
      expect(await store.read(id)).toMatchObject({ failures: 3, refusals: 2 });
      expect(await rest()).toBeCloseTo(40_000, -4);
    });
  });

  describe('I8: the quota', () => {
    /** One after the other, as requests that take permits at moments of their own. */
    const attempts = fc.array(
      fc.record({ afterMs: fc.integer({ min: 0, max: 20_000 }), permits: fc.integer({ min: 1, max: 3 }) }),
      { minLength: 1, maxLength: 60 },
    );

    it('is never exceeded in any window, and no permit is kept back', async () => {
      await fc.assert(
        fc.asyncProperty(attempts, fc.integer({ min: 3, max: 8 }), async (wanted, requests) => {
          const bucket = randomUUID();
          const perMs = 60_000;
          const taken: number[] = [];
          for (const { afterMs, permits } of wanted) {
            bench.advance(afterMs);
            const before = bench.now();
            const waitMs = await store.takePermits(bucket, permits, { requests, perMs });
            const slackMs = bench.now() - before + 5;
            const inWindow = (at: number) => taken.filter((time) => time > at - perMs).length;
            if (waitMs === 0) {
              taken.push(...Array.from({ length: permits }, () => before));
              expect(inWindow(before + slackMs)).toBeLessThanOrEqual(requests);
            } else {
              expect(inWindow(before - slackMs) + permits).toBeGreaterThan(requests);
              expect(inWindow(before + waitMs + slackMs) + permits).toBeLessThanOrEqual(requests);
            }
          }
        }),
        { numRuns: 40 },
      );
    });

    it('is shared by those who take at the same moment', async () => {
      const bucket = randomUUID();
      const take = () => store.takePermits(bucket, 1, { requests: 10, perMs: 60_000 });
      const waits = await Promise.all(Array.from({ length: 50 }, take));
      expect(waits.filter((wait) => wait === 0)).toHaveLength(10);
      expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
      bench.advance(60_000);
      expect(await take()).toBe(0);
    });

    it('is counted for each bucket by itself', async () => {
      const take = (bucket: string) => store.takePermits(bucket, 1, { requests: 1, perMs: 60_000 });
      const [one, two] = [randomUUID(), randomUUID()];
      expect(await take(one)).toBe(0);
      expect(await take(one)).toBeGreaterThan(0);
      expect(await take(two)).toBe(0);
    });

    it("is neither exceeded nor used up for longer than a window when the store's clock steps back", async () => {
      if (kind === 'memory') return; // its clock cannot be set
      const bucket = randomUUID();
      const take = () => store.takePermits(bucket, 1, { requests: 2, perMs: 60_000 });
      expect(await take()).toBe(0);
      bench.advance(30_000);
      expect(await take()).toBe(0);
      bench.setClock(-600_000);
      try {
        const waitMs = await take();
        expect(waitMs).toBeGreaterThan(29_000);
        expect(waitMs).toBeLessThanOrEqual(60_000);
        bench.advance(waitMs);
        expect(await take()).toBe(0);
        expect(await take()).toBeGreaterThan(0);
      } finally {
        bench.setClock(600_000);
      }
    });
  });
});
