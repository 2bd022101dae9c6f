import { randomUUID } from 'node:crypto';
import { type Bench, claimedOf, clusterBench, eachWithItsClient, stores, token } from './stores.fixture';
import { leaseMs, minRestMs, type News, type TokenStore } from './token-store';

describe.each(stores.concat([['a Redis Cluster', clusterBench]]))('the token store in %s', (_, start) => {
  let bench: Bench;
  let store: TokenStore;
  let id: string;
  eachWithItsClient(start, (given) => ({ bench, store, id } = given));

  const now = () => bench.now();
  const enqueue = (dueInMs = 0, secretVersion = 1) => store.enqueue([{ clientId: id, secretVersion, dueInMs }]);
  const claimed = (seen?: string) => claimedOf(bench, id, seen);
  const dueNow = async () => (await store.claimDue(50)).claims.filter((claim) => claim.clientId === id);

  it('gives a due client to one claimer only', async () => {
    await enqueue();
    const claims = await Promise.all([dueNow(), dueNow(), dueNow()]);
    expect(claims.flat()).toHaveLength(1);
  });

  it('does not give out a client before it is due, and says how late it was', async () => {
    await enqueue(60_000);
    expect(await dueNow()).toEqual([]);
    bench.advance(61_000);
    const [claim] = await dueNow();
    expect(claim!.latenessMs).toBeGreaterThanOrEqual(1_000);
    expect(claim!.latenessMs).toBeLessThan(10_000);
  });

  it('I4: gives a client out again once the lease of a dead claimer ran out, and fences that claimer', async () => {
    await enqueue();
    const [dead] = await dueNow();
    bench.advance(leaseMs - 1_000);
    expect(await dueNow()).toEqual([]);
    bench.advance(1_500);
    const [heir] = await dueNow();
    expect(Number(heir!.generation)).toBeGreaterThan(Number(dead!.generation));
    expect((await store.commit(dead!, token(now()))).outcome).toBe('fenced');
    expect(await store.postpone(dead!, 1, { failures: 1, refusals: 0 })).toBe('fenced');
    expect((await store.read(id)).token).toBeUndefined();
    expect((await store.commit(heir!, token(now()))).outcome).toBe('stored');
  });

  it('keeps what was committed, byte for byte, and plans the renewal', async () => {
    await enqueue();
    const claim = await claimed();
    await store.commit(claim, token(now()));
    const state = await store.read(id);
    expect(state.token).toMatchObject({ generation: claim.generation, secretVersion: 1, servableLifeMs: 270_000 });
    expect([...state.token!.sealed]).toEqual([0, 255, 1, 128]);
    expect(state.token!.runwayMs).toBeLessThanOrEqual(270_000);
    expect(state.token!.runwayMs).toBeGreaterThan(260_000);
    expect(state.dueInMs).toBeGreaterThan(190_000);
    expect(state.dueInMs).toBeLessThanOrEqual(200_001);
    expect(await dueNow()).toEqual([]);
  });

  it('tells each who asks at once the generation of the client asked for, however many there are', async () => {
    const ids = Array.from({ length: 120 }, () => randomUUID());
    await store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })));
    const claims = new Map<string, string>();
    for (const clientId of ids.slice(0, 110)) {
      const claim = await claimedOf(bench, clientId);
      claims.set(clientId, claim.generation);
      await store.commit(claim, token(now()));
    }
    const told = await Promise.all(ids.map((clientId) => store.generation(clientId)));
    expect(told).toEqual(ids.map((clientId) => claims.get(clientId)));
    await Promise.all(ids.map((clientId) => store.remove(clientId)));
  });

  it('I1: judges a token dead when either clock says so', async () => {
    await enqueue();
    await store.commit(await claimed(), token(now()));
    bench.shiftWall(280_000);
    expect((await store.read(id)).token!.runwayMs).toBeLessThanOrEqual(0);
    bench.shiftWall(-560_000); // now ten minutes slow: the other clock goes on
    expect((await store.read(id)).token!.runwayMs).toBeLessThanOrEqual(270_000);
    bench.advance(280_000);
    expect((await store.read(id)).token!.runwayMs).toBeLessThanOrEqual(0);
    bench.shiftWall(280_000);
  });

  it('I5: generations rise, and a token that ends no later than the stored one does not replace it', async () => {
    await enqueue();
    const first = await claimed();
    await store.commit(first, token(now()));
    const second = await claimed(first.generation);
    expect(Number(second.generation)).toBeGreaterThan(Number(first.generation));
    const outcome = await store.commit(second, token(now(), { runwayMs: 100_000 }));
    expect(outcome.outcome).toBe('sticky');
    const state = await store.read(id);
    expect(state.token!.generation).toBe(first.generation);
    expect(state.dueInMs).toBeGreaterThan(100_000); // half of what remains: no hot loop
    expect((await store.claimOne(id, first.generation)).outcome).toBe('resting');
  });

  it('I6: stores no token got with a secret that was replaced meanwhile', async () => {
    await enqueue();
    await store.commit(await claimed(), token(now()));
    const before = (await store.read(id)).token!.generation;
    const inFlight = await claimed(before);
    await store.change(id, 2);
    expect((await store.commit(inFlight, token(now(), { runwayMs: 300_000 }))).outcome).toBe('fenced');
    const [late] = await dueNow();
    expect((await store.commit(late!, token(now(), { runwayMs: 300_000 }))).outcome).toBe('outdated');
    expect((await store.read(id)).token!.generation).toBe(before); // the old one is served meanwhile
    const [right] = await dueNow();
    const shorter = token(now(), { secretVersion: 2, runwayMs: 50_000 });
    expect((await store.commit(right!, shorter)).outcome).toBe('stored');
  });

  it('hearing of a version for the first time takes no claim from who has it, nor makes anyone due before his turn', async () => {
    const first = await claimed(); // everything was lost, and somebody wants it
    await enqueue(0, 3);
    expect(await dueNow()).toEqual([]);
    expect((await store.commit(first, token(now(), { secretVersion: 3 }))).outcome).toBe('stored');
    await store.remove(id);
    await enqueue(60_000, 0);
    await enqueue(0, 3);
    expect(await dueNow()).toEqual([]);
  });

  it('counts no failure against a secret that was not the one tried, and lets the present one be tried at once', async () => {
    await enqueue();
    await store.change(id, 2);
    const claim = await claimed();
    expect(await store.postpone(claim, 300_000, { failures: 2, refusals: 2 }, { secretVersion: 1 })).toBe('outdated');
    expect(await store.read(id)).toMatchObject({ failures: 0, refusals: 0 });
    expect(await dueNow()).toHaveLength(1);
  });

  it('after a change takes whatever token comes next, were it to end sooner', async () => {
    await enqueue();
    await store.commit(await claimed(), token(now()));
    await store.change(id, 1);
    const [claim] = await dueNow();
    expect((await store.commit(claim!, token(now(), { runwayMs: 50_000 }))).outcome).toBe('stored');
  });

  it('takes a token after its clock stepped back, whatever the old one then seems to have left', async () => {
    await enqueue();
    const first = await claimed();
    await store.commit(first, token(now()));
    bench.setClock(-600_000);
    try {
      const second = await claimed(first.generation);
      expect((await store.commit(second, token(now()))).outcome).toBe('stored');
    } finally {
      bench.setClock(600_000);
    }
  });

  it('removes a client for a claim only while that claim holds', async () => {
    await enqueue();
    const claim = await claimed();
    await store.change(id, 2);
    await store.remove(id, claim);
    expect((await store.read(id)).dueInMs).toBeDefined();
    await store.remove(id, await claimed());
    expect((await store.read(id)).dueInMs).toBeUndefined();
  });

  it('hands out no second claim while one is held, none for a token that was renewed already', async () => {
    await enqueue();
    const claim = await claimed();
    expect(await store.claimOne(id)).toMatchObject({ outcome: 'held' });
    await store.commit(claim, token(now()));
    expect(await store.claimOne(id)).toEqual({ outcome: 'newer' });
    // Not at once, however short the life of what was stored: no hot loop.
    expect(await store.claimOne(id, claim.generation)).toMatchObject({ outcome: 'resting' });
    bench.advance(minRestMs);
    expect(await store.claimOne(id, claim.generation)).toMatchObject({ outcome: 'claimed' });
  });

  it('after a failure keeps the token, counts, rests until the next attempt is due, and forgets it on success', async () => {
    await enqueue();
    const first = await claimed();
    await store.commit(first, token(now()));
    const lastFailure = { code: 'provider_unavailable', message: 'answered 502', providerStatus: 502, at: 1 };
    const claim = await claimed(first.generation);
    expect(await store.postpone(claim, 5_000, { failures: 1, refusals: 0, lastFailure })).toBe('postponed');
    expect(await store.read(id)).toMatchObject({ failures: 1, lastFailure, token: { generation: first.generation } });
    expect(await store.claimOne(id, first.generation)).toMatchObject({ outcome: 'resting' });
    bench.advance(5_001);
    const [again] = await dueNow();
    const commit = await store.commit(again!, token(now(), { runwayMs: 290_000 }));
    expect(commit).toEqual({ outcome: 'stored', freshAgain: true });
    expect((await store.read(id)).lastFailure).toBeUndefined();
  });

  it('lets who insists try again before the next attempt is due, and forgets no failure for that', async () => {
    const refused = { failures: 2, refusals: 2, lastFailure: { code: 'credentials_refused', message: '401', at: 1 } };
    await store.postpone(await claimed(), 300_000, refused);
    expect(await store.claimOne(id)).toMatchObject({ outcome: 'resting' });
    expect(await store.claimOne(id, undefined, 0)).toMatchObject({ outcome: 'claimed', claim: { retry: true } });
    expect(await store.read(id)).toMatchObject(refused);
    expect(await store.claimOne(id, undefined, 0)).toMatchObject({ outcome: 'held' });
  });

  it('does not resurrect a client that was removed in mid-flight', async () => {
    await enqueue();
    const claim = await claimed();
    await store.remove(id);
    expect((await store.commit(claim, token(now()))).outcome).toBe('fenced');
    expect(await store.postpone(claim, 1, { failures: 1, refusals: 0 })).toBe('fenced');
    expect(await store.read(id)).toEqual({ failures: 0, refusals: 0 });
  });

  it('I7: takes back those missing from the queue and leaves the others in their place', async () => {
    expect(await enqueue(5_000)).toBe(1);
    expect(await enqueue(0)).toBe(0);
    expect((await store.read(id)).dueInMs).toBeGreaterThan(4_000);
    expect(await enqueue(60_000, 2)).toBe(0); // a change of secret that was never heard of: due now
    expect((await store.read(id)).dueInMs).toBeLessThanOrEqual(0);
  });

  it('tells at once what was renewed, changed and removed', async () => {
    const heard: News[] = [];
    const of = (kind: News['kind']) =>
      new Promise<void>((resolve) =>
        store.onNews((news) => {
          if (news.clientId !== id || news.kind !== kind) return;
          heard.push(news);
          resolve();
        }),
      );
    const all = Promise.all([of('renewed'), of('changed'), of('removed')]);
    await enqueue();
    const claim = await claimed();
    await store.commit(claim, token(now()));
    await store.change(id, 2);
    await store.remove(id);
    await all;
    expect(heard.map((news) => news.kind)).toEqual(['renewed', 'changed', 'removed']);
    expect(heard[0]!.generation).toBe(claim.generation);
  });

  it('shows at a glance how many are due, what comes next and, of those in trouble, whose token ends first', async () => {
    const ids = [randomUUID(), randomUUID(), randomUUID()];
    const depthBefore = (await store.overview(3)).depth;
    await store.enqueue(ids.map((clientId, i) => ({ clientId, secretVersion: 1, dueInMs: i * 50_000 - 1 })));
    const [soon] = (await store.claimDue(50)).claims;
    await store.commit(soon!, token(now(), { runwayMs: 30_000, renewInMs: 20_000 }));
    const overview = await store.overview(2);
    expect(overview.depth).toBe(depthBefore + 3);
    expect(overview.due).toBe(0);
    expect(overview.next.map((entry) => entry.clientId)).toEqual([ids[0], ids[1]]);
    expect(overview.leastRunway).toEqual([]);
    const seen = await store.read(ids[0]!);
    await store.postpone(await claimedOf(bench, ids[0]!, seen.token!.generation), 5_000);
    await store.postpone(await claimedOf(bench, ids[1]!), 5_000, { failures: 1, refusals: 0 });
    const { leastRunway } = await store.overview(2);
    expect(leastRunway[0]).toEqual({ clientId: ids[1], runwayMs: 0 }); // it has none
    expect(leastRunway[1]!.clientId).toBe(ids[0]);
    expect(leastRunway[1]!.runwayMs).toBeGreaterThan(20_000);
    expect(leastRunway[1]!.runwayMs).toBeLessThanOrEqual(30_000);
    await Promise.all(ids.map((clientId) => store.remove(clientId)));
  });

  it('claims no more clients than asked for, and all of them in the end', async () => {
    const ids = Array.from({ length: 100 }, () => randomUUID());
    expect(await store.enqueue(ids.map((clientId) => ({ clientId, secretVersion: 1, dueInMs: 0 })))).toBe(100);
    const { claims: few, more } = await store.claimDue(3);
    expect(more).toBe(true);
    expect(few.length).toBeGreaterThan(0);
    expect(few.length).toBeLessThanOrEqual(3);
    let all = few.length;
    for (let round = 0; round < 50 && all < 100; round++) all += (await store.claimDue(64)).claims.length;
    expect(all).toBe(100);
    expect((await store.claimDue(64)).more).toBe(false);
    await Promise.all(ids.map((clientId) => store.remove(clientId)));
  });
});
