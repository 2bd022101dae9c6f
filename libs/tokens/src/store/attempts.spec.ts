import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { type Bench, claimedOf, eachWithItsClient, stores, token } from './stores.fixture';
import type { Attempt, Attempts, TokenStore } from './token-store';

const hour = 3_600_000;

describe.each(stores)('the last attempts of a client, in %s,', (_, start) => {
  let bench: Bench;
  let store: TokenStore;
  let id: string;
  eachWithItsClient(start, (given) => ({ bench, store, id } = given));

  const claimed = async () => claimedOf(bench, id, (await store.read(id)).token?.generation);
  const fails = async (over: Partial<Attempts> = {}) => {
    const lastFailure = { code: 'provider_unavailable', message: 'answered 502', at: bench.now(), durationMs: 41 };
    await store.postpone(await claimed(), 0, { failures: 1, refusals: 0, lastFailure, ...over });
    return lastFailure.at;
  };
  const succeeds = async (runwayMs: number, over: { durationMs?: number; providerRequestId?: string } = {}) => {
    const { outcome } = await store.commit(
      await claimed(),
      token(bench.now(), { runwayMs, servableLifeMs: runwayMs, ...over }),
    );
    return outcome;
  };

  it('are there to be read, newest first, however many there were, each with what it brought and how long it took', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            afterMs: fc.integer({ min: 1_000, max: 20 * 24 * hour }),
            outcome: fc.constantFrom('renewed' as const, 'renewed' as const, 'kept' as const, 'failed' as const),
            durationMs: fc.integer({ min: 0, max: 30_000 }),
          }),
          { minLength: 1, maxLength: 130 },
        ),
        async (steps) => {
          id = randomUUID();
          await store.enqueue([{ clientId: id, secretVersion: 1, dueInMs: 0 }]);
          const expected: Attempt[] = [];
          for (const { afterMs, outcome, durationMs } of steps) {
            bench.advance(afterMs);
            const { token: before, restMs = 0 } = await store.read(id);
            bench.advance(restMs);
            if (outcome === 'failed') {
              const lastFailure = { code: 'down', message: 'm', at: bench.now() + 500, durationMs };
              await store.postpone(await claimed(), 0, { failures: 1, refusals: 0, lastFailure });
              expected.unshift({ at: lastFailure.at, outcome, durationMs, reason: 'down', message: 'm' });
            } else {
              const runwayMs = outcome === 'renewed' ? 365 * 24 * hour + (before?.runwayMs ?? 0) : 1_000;
              const brought = (await succeeds(runwayMs, { durationMs })) === 'sticky' ? 'kept' : 'renewed';
              expected.unshift({ at: bench.now(), outcome: brought, durationMs });
            }
          }
          const found = await store.attempts(id);
          const bare = (all: Attempt[]) => all.map(({ at: _at, durationMs: _durationMs, ...rest }) => rest);
          expect(bare(found)).toEqual(bare(expected.slice(0, 50)));
          for (const [i, { at, durationMs }] of found.entries()) {
            expect(Math.abs(at - expected[i]!.at)).toBeLessThan(1_500);
            expect(Math.abs(durationMs - expected[i]!.durationMs)).toBeLessThanOrEqual(
              1 + expected[i]!.durationMs * 0.03,
            );
          }
          await store.remove(id);
        },
      ),
      { numRuns: 10 },
    );
  });

  it('have the request id of each failure, and of the last that went well', async () => {
    await succeeds(hour, { providerRequestId: 'first' });
    await succeeds(2 * hour, { providerRequestId: 'x'.repeat(64) });
    expect((await store.attempts(id))[0]).toMatchObject({ outcome: 'renewed', providerRequestId: 'x'.repeat(64) });
    bench.advance(2_000);
    const lastFailure = { code: 'c', message: 'm', at: bench.now(), providerStatus: 502, providerRequestId: 'bad' };
    await fails({ lastFailure });
    expect((await store.attempts(id))[0]).toMatchObject({
      ...{ at: lastFailure.at, outcome: 'failed', reason: 'c', message: 'm' },
      ...{ providerStatus: 502, providerRequestId: 'bad' },
    });
    bench.advance(2_000);
    await succeeds(3 * hour);
    expect((await store.attempts(id))[0]!.providerRequestId).toBeUndefined();
  });

  it('do not count what was held back without asking the provider', async () => {
    const at = await fails();
    bench.advance(2_000);
    await fails({ unasked: true, failures: 2 });
    await store.postpone(await claimed(), 0);
    expect(await store.attempts(id)).toEqual([
      { at, outcome: 'failed', durationMs: 41, reason: 'provider_unavailable', message: 'answered 502' },
    ]);
    expect(await store.read(id)).toMatchObject({ failures: 2, lastFailure: { code: 'provider_unavailable' } });
  });

  it('outlive a change of the client and not its removal', async () => {
    await succeeds(hour);
    bench.advance(2_000);
    await fails();
    await store.change(id, 2);
    expect((await store.attempts(id)).map(({ outcome }) => outcome)).toEqual(['failed', 'renewed']);
    await store.remove(id);
    expect(await store.attempts(id)).toEqual([]);
  });
});
