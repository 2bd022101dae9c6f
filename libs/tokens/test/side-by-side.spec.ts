import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { startRedis } from '../../../test/harness/redis';
import { RedisTokenStore } from '../src/store/redis-token-store';
import { token } from '../src/store/stores.fixture';
import { type Claim, leaseMs } from '../src/store/token-store';
import { RedisTokenStore as FirstStore } from './v0.1.0/redis-token-store';

type Version = 'old' | 'new';
/** `since`: a moment before it was granted. */
type Held = { claim: Claim; by: Version; since: number };

/** What a client must be, whichever version did what. */
interface Expected {
  queued: boolean;
  secretVersion: number;
  /** The secret version that the store knows of. */
  known: number;
  /** The claim that may commit, if any. */
  holder?: Held | undefined;
  generation: number;
}

const step = fc.record({
  by: fc.constantFrom<Version>('old', 'new'),
  client: fc.nat(2),
  what: fc.constantFrom(
    ...(['enqueue', 'claimDue', 'claimDue', 'claimOne', 'claimOne', 'commit', 'commit', 'commit'] as const),
    ...(['postpone', 'change', 'remove', 'advance', 'advance'] as const),
  ),
  pick: fc.nat(100),
  ms: fc.constantFrom(600, 5_000, leaseMs + 1, 100_000),
});

describe('replicas of 0.1.0 and of this version on one Redis', () => {
  let redis: Awaited<ReturnType<typeof startRedis>>;
  let stores: { old: FirstStore; new: RedisTokenStore };
  let shiftMs = 0;
  beforeAll(async () => {
    redis = await startRedis();
    const clock = { now: () => Date.now() + shiftMs, monotonic: () => performance.now() + shiftMs };
    stores = { old: new FirstStore(redis.url, { clock }), new: new RedisTokenStore(redis.url, { clock }) };
    await Promise.all([stores.old.ready(5_000), stores.new.ready(5_000)]);
  });
  afterAll(async () => {
    await Promise.all([stores.old.close(), stores.new.close()]);
    await redis.stop();
  });
  const now = () => Date.now() + shiftMs;
  const advance = (ms: number): void => {
    shiftMs += ms;
    stores.old.clockShiftMs = stores.new.clockShiftMs = shiftMs;
  };
  const claimDue = async (by: Version): Promise<Claim[]> =>
    by === 'old' ? stores.old.claimDue(64) : (await stores.new.claimDue(64)).claims;
  const claimed = async (by: Version, id: string): Promise<Claim> => {
    const { token: seen, restMs = 0 } = await stores[by].read(id);
    advance(Math.max(600, restMs));
    const answer = await stores[by].claimOne(id, seen?.generation);
    if (answer.outcome !== 'claimed') throw new Error(`not claimed but ${answer.outcome}`);
    return answer.claim;
  };
  const inTrouble = async () => (await stores.new.overview(10)).leastRunway.map(({ clientId }) => clientId);

  it('give no claim to two at once, lose no client, and never go back to an older token', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
        const ids = [randomUUID(), randomUUID(), randomUUID()];
        const fresh = (): Expected => ({ queued: false, secretVersion: 0, known: 0, generation: 0 });
        const expected = new Map<string, Expected>(ids.map((id) => [id, fresh()]));
        const all: Held[] = [];
        const granted = (by: Version, claim: Claim, asked: number): void => {
          const client = expected.get(claim.clientId)!;
          const { holder } = client;
          if (holder) expect(now() - holder.since).toBeGreaterThanOrEqual(leaseMs);
          expect(Number(claim.generation)).toBeGreaterThan(Number(holder?.claim.generation ?? client.generation));
          client.holder = { claim, by, since: asked };
          client.queued = true;
          all.push(client.holder);
        };
        try {
          for (const { by, client: which, what, pick, ms } of steps) {
            const store = stores[by];
            const asked = now();
            const id = ids[which]!;
            const client = expected.get(id)!;
            const held = all[pick % Math.max(1, all.length)];
            if (what === 'advance') advance(ms);
            if (what === 'enqueue') {
              await store.enqueue([{ clientId: id, secretVersion: client.secretVersion, dueInMs: pick }]);
              // A version that was never heard of makes it due at once, whoever is at it.
              if (client.holder && client.secretVersion > client.known) client.holder.since = 0;
              client.known = client.secretVersion;
              client.queued = true;
            }
            if (what === 'claimDue') for (const claim of await claimDue(by)) granted(by, claim, asked);
            if (what === 'claimOne') {
              const answer = await store.claimOne(id, pick > 50 ? String(client.generation) : undefined);
              if (answer.outcome === 'claimed') granted(by, answer.claim, asked);
            }
            if (what === 'commit' && held) {
              const of = expected.get(held.claim.clientId)!;
              const made = token(now(), { secretVersion: of.secretVersion, runwayMs: 50_000 + pick * 5_000 });
              const { outcome } = await stores[held.by].commit(held.claim, {
                ...made,
                durationMs: pick,
              } as typeof made);
              expect(outcome === 'fenced').toBe(of.holder !== held);
              if (outcome === 'stored') {
                of.generation = Number(held.claim.generation);
                of.known = of.secretVersion;
              }
            }
            if (what === 'postpone' && held) {
              const of = expected.get(held.claim.clientId)!;
              const lastFailure = { code: 'down', message: 'down', at: now() };
              const outcome = await stores[held.by].postpone(held.claim, pick, {
                failures: 1,
                refusals: 0,
                lastFailure,
              });
              expect(outcome === 'fenced').toBe(of.holder !== held);
            }
            if ((what === 'commit' || what === 'postpone') && held) {
              // Done with: from now on somebody else may have it, and until then it still holds.
              const of = expected.get(held.claim.clientId)!;
              if (of.holder === held) held.since = 0;
            }
            if (what === 'change') {
              await store.change(id, ++client.secretVersion);
              Object.assign(client, { holder: undefined, queued: true, known: client.secretVersion });
            }
            if (what === 'remove') {
              await store.remove(id);
              expected.set(id, { ...fresh(), secretVersion: client.secretVersion });
            }
            for (const [clientId, { generation, queued }] of expected) {
              const [old, present] = await Promise.all([stores.old.read(clientId), stores.new.read(clientId)]);
              const { dueInMs: _due, restMs: _rest, token: seen, ...state } = present;
              expect(old).toMatchObject(state);
              expect(old.token?.generation).toBe(seen?.generation);
              expect(old.token?.sealed).toEqual(seen?.sealed);
              expect(present.dueInMs !== undefined).toBe(queued);
              if (seen) expect(Number(seen.generation)).toBe(generation);
            }
          }
        } finally {
          await Promise.all(ids.map((id) => stores.new.remove(id)));
        }
      }),
      { numRuns: 25 },
    );
  }, 120_000);

  it.each([
    ['old', 'new'],
    ['new', 'old'],
  ] as const)('read what was written by the other, be it a token or a failure: %s, then %s', async (one, other) => {
    const id = randomUUID();
    const claim = await claimed(one, id);
    await stores[one].commit(claim, token(now()));
    const { token: read } = await stores[other].read(id);
    expect(read).toMatchObject({ generation: claim.generation, secretVersion: 1, sealed: token(0).sealed });
    const lastFailure = { code: 'down', message: 'answered 502', at: 5 };
    await stores[one].postpone(await claimed(one, id), 60_000, { failures: 3, refusals: 2, lastFailure });
    expect(await stores[other].read(id)).toMatchObject({ failures: 3, refusals: 2, lastFailure });
    expect(await stores[other].claimOne(id, read!.generation)).toMatchObject({ outcome: 'resting' });
    await stores[other].remove(id);
    expect(await stores[one].read(id)).toEqual({ failures: 0, refusals: 0 });
  });

  it('leave nobody in trouble who was brought out of it by the older version: the next renewal tells', async () => {
    const id = randomUUID();
    await stores.new.postpone(await claimed('new', id), 0, { failures: 1, refusals: 0 });
    await stores.old.commit(await claimed('old', id), token(now(), { renewInMs: 1_000 }));
    expect(await inTrouble()).toContain(id);
    advance(1_001);
    const [claim] = await claimDue('new');
    await stores.new.commit(claim!, token(now(), { runwayMs: 300_000 }));
    expect(await inTrouble()).not.toContain(id);
    await stores.new.remove(id);
  });
});
