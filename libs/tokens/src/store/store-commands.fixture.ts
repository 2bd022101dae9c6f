import fc from 'fast-check';
import { ClientModel, isAfter, type Span } from './store-model.fixture';
import { type Bench, token } from './stores.fixture';
import type { Claim, NewToken, TokenStore } from './token-store';

/** Clients, and the claims that somebody somewhere believes to hold, be they long fenced. */
export interface Model {
  clients: Map<string, ClientModel>;
  claims: Claim[];
}
type Do = (model: Model, real: Real) => Promise<void>;

/** What the store is asked, and when it was. */
export class Real {
  constructor(
    readonly bench: Bench,
    readonly ids: string[],
  ) {}
  /** Two ms of slack: the clocks of store and test are rounded, each in its way. */
  async timed<T>(call: (store: TokenStore) => Promise<T>): Promise<[T, Span]> {
    const from = this.bench.now() - 2;
    const answer = await call(this.bench.store);
    return [answer, { from, to: this.bench.now() + 2 }];
  }
}

/** One step; it takes what it needs out of numbers that fast-check makes up and shrinks. */
function command(name: string, args: fc.Arbitrary<number[]>, run: (...args: number[]) => Do) {
  return args.map((numbers) => ({
    check: () => true,
    run: async (model: Model, real: Real) => {
      const before = snapshot(model);
      await run(...numbers)(model, real);
      await expectAlike(model, real, before);
    },
    toString: () => `${name}(${numbers.join(', ')})`,
  }));
}

const which = fc.nat(2);
const pick = fc.nat(30);
const version = fc.integer({ min: 1, max: 4 });
const few = (...values: number[]) => fc.constantFrom(...values);

const granted = ({ clients, claims }: Model, claim: Claim, now: Span): void => {
  const client = clients.get(claim.clientId)!;
  expect(Number(claim.generation)).toBeGreaterThan(Number(client.claim || client.token?.generation || 0));
  client.claimed(claim, now);
  claims.push(claim);
};
/** With one of the claims that somebody has. Without any there is nothing to do. */
const withClaim = (
  model: Model,
  n: number,
  go: (claim: Claim, client: ClientModel) => Promise<void>,
): Promise<void> => {
  const claim = model.claims[model.claims.length - 1 - (n % Math.max(1, model.claims.length))];
  return claim ? go(claim, model.clients.get(claim.clientId)!) : Promise.resolve();
};

const enqueue = command('enqueue', fc.tuple(which, version, few(0, 1_000, 60_000)), (i, secretVersion, dueInMs) => {
  return async ({ clients }, real) => {
    const clientId = real.ids[i!]!;
    const entry = { clientId, secretVersion: secretVersion!, dueInMs: dueInMs! };
    const [missing, now] = await real.timed((store) => store.enqueue([entry]));
    expect(missing).toBe(clients.get(clientId)!.enqueued(secretVersion!, dueInMs!, now) ? 1 : 0);
  };
});

const claimDue = command('claimDue', fc.tuple(few(1, 2, 64, 64, 64)), (limit) => async (model, real) => {
  const [{ claims }, now] = await real.timed((store) => store.claimDue(limit!));
  expect(claims.length).toBeLessThanOrEqual(limit!);
  for (const claim of claims) {
    const { queued, due, inTrouble, state } = model.clients.get(claim.clientId)!;
    expect([queued, isAfter(due, now)]).not.toEqual([true, true]);
    expect(claim.inTrouble === true).toBe(inTrouble);
    expect(claim.retry === true).toBe(state.failures > 0);
    expect(claim.latenessMs).toBeGreaterThanOrEqual(Math.max(0, now.from - due.to));
    expect(claim.latenessMs).toBeLessThanOrEqual(now.to - due.from);
    granted(model, claim, now);
  }
  const left = [...model.clients.values()].filter(({ queued, due }) => queued && isAfter(due, now) === false);
  if (limit === 64) expect(left).toEqual([]);
});

const claimOne = command(
  'claimOne',
  fc.tuple(which, few(0, 1, 1), few(0, 0, 1)),
  (i, knows, insists) => async (model, real) => {
    const client = model.clients.get(real.ids[i!]!)!;
    const seen = knows ? (client.token?.generation ?? '0') : '0';
    const [answer, now] = await real.timed((store) => store.claimOne(real.ids[i!]!, seen, ...(insists ? [0] : [])));
    expect(client.claimAnswers(seen, insists === 1, now)).toContain(answer.outcome);
    client.queued = true;
    if (client.due.from === -Infinity) client.due = now;
    if (answer.outcome !== 'claimed') return;
    expect(answer.claim.retry === true).toBe(client.state.failures > 0);
    granted(model, answer.claim, now);
  },
);

const race = command('race', fc.tuple(which), (i) => async (model, real) => {
  const id = real.ids[i!]!;
  const seen = model.clients.get(id)!.token?.generation;
  const [[due, ...answers], now] = await real.timed((store) =>
    Promise.all([store.claimDue(64), store.claimOne(id, seen), store.claimOne(id, seen)]),
  );
  const demanded = answers.flatMap((answer) => (answer.outcome === 'claimed' ? [answer.claim] : []));
  const claims = [...due.claims, ...demanded];
  expect(claims.filter(({ clientId }) => clientId === id).length).toBeLessThanOrEqual(1);
  const client = model.clients.get(id)!;
  client.queued = true;
  if (client.due.from === -Infinity) client.due = now;
  for (const claim of claims) granted(model, claim, now);
});

const commit = command(
  'commit',
  fc.tuple(pick, few(-1, 0, 0, 0, 1), few(6_000, 60_000, 120_000, 300_000), few(2_000, 30_000, 350_000), few(0, 1)),
  (n, versionOff, runwayMs, renewInMs, spread) => (model, real) =>
    withClaim(model, n!, async (claim, client) => {
      const over: Partial<NewToken> = { runwayMs: runwayMs!, servableLifeMs: runwayMs!, renewInMs: renewInMs! };
      const secretVersion = Math.max(1, client.minimumVersion + versionOff!);
      const issue = () =>
        token(real.bench.now(), { ...over, secretVersion, ...(spread && { unplannedRenewInMs: 9_000 }) });
      const [[issued, { outcome, freshAgain }], now] = await real.timed(async (store) => {
        const made = issue();
        return [made, await store.commit(claim, made)] as const;
      });
      expect(client.commitOutcomes(claim, issued, now)).toContain(outcome);
      const ended = client.state.failures > 0 || client.token === undefined;
      expect(freshAgain).toBe((outcome === 'stored' || outcome === 'sticky') && ended);
      client.committed(claim, issued, outcome, now);
    }),
);

const postpone = command(
  'postpone',
  fc.tuple(pick, few(0, 1_000, 90_000, 300_000), few(0, 1, 2, 2), few(-1, 0, 0, 0)),
  (n, delayMs, kind, versionOff) => (model, real) =>
    withClaim(model, n!, async (claim, client) => {
      const secretVersion = client.minimumVersion + versionOff!;
      const lastFailure = { code: 'down', message: 'm', at: real.bench.now() };
      const failed = { failures: client.state.failures + 1, refusals: 0, lastFailure };
      const attempts = [undefined, { ...failed, unasked: true as const }, failed][kind!];
      const [outcome, now] = await real.timed((store) => store.postpone(claim, delayMs!, attempts, { secretVersion }));
      expect(outcome).toBe(client.postponed(claim, delayMs!, attempts, secretVersion, now));
    }),
);

const change = command('change', fc.tuple(which, fc.nat(1), few(0, 0, 15_000)), (i, up, dueInMs) => {
  return async ({ clients }, real) => {
    const client = clients.get(real.ids[i!]!)!;
    const secretVersion = Math.max(1, client.minimumVersion + up!);
    const [, now] = await real.timed((store) => store.change(real.ids[i!]!, secretVersion, dueInMs));
    client.changed(secretVersion, dueInMs!, now);
  };
});

const remove = command('remove', fc.tuple(which), (i) => async ({ clients }, real) => {
  await real.bench.store.remove(real.ids[i!]!);
  clients.set(real.ids[i!]!, new ClientModel());
});

const removeFor = command('removeFor', fc.tuple(pick), (n) => (model, real) => {
  return withClaim(model, n!, async (claim, client) => {
    await real.bench.store.remove(claim.clientId, claim);
    if (client.claim === claim.generation) model.clients.set(claim.clientId, new ClientModel());
  });
});

/** Whoever had the claim is gone. */
const crash = command('crash', fc.tuple(pick), (n) => async ({ claims }) => {
  claims.splice(n! % Math.max(1, claims.length), 1);
});

const advance = command('advance', fc.tuple(few(20, 600, 5_000, 14_900, 15_100, 61_000, 240_000)), (ms) => {
  return async (_model, { bench }) => bench.advance(ms!);
});

const snapshot = ({ clients }: Model) => new Map([...clients].map(([id, { token: held }]) => [id, held]));

/** 'as wanted' where it is within the span, seen from now; else both, to be read in the report. */
function near(ms: number | undefined, span: Span, now: Span): string {
  const [least, most] = [Math.floor(span.from - now.to), Math.ceil(span.to - now.from)];
  return ms !== undefined && ms >= least && ms <= most ? 'as wanted' : `${ms}, not ${least} to ${most}`;
}

/** The store holds what the model says, and what every store must hold whatever the model says. */
async function expectAlike({ clients }: Model, real: Real, before: ReturnType<typeof snapshot>): Promise<void> {
  const ids = [...clients.keys()];
  const [[states, { depth, leastRunway }], now] = await real.timed((store) =>
    Promise.all([store.readMany(ids), store.overview(10)]),
  );
  const seen = states.map(({ token: stored, dueInMs, restMs, ...state }, i) => {
    const client = clients.get(ids[i]!)!;
    const rests = isAfter(client.notBefore, now);
    return {
      ...state,
      // I7: whoever is enqueued and not removed stays in the queue.
      queued: dueInMs !== undefined,
      due: client.queued ? near(dueInMs, client.due, now) : 'as wanted',
      rest: rests
        ? near(restMs, client.notBefore, now)
        : rests === false && restMs !== undefined
          ? restMs
          : 'as wanted',
      generation: stored?.generation,
      secretVersion: stored?.secretVersion,
      runway: client.token ? near(stored?.runwayMs, client.token.until, now) : 'as wanted',
      // I1: a dead token is never told to be servable.
      undead: stored && client.token && isAfter(client.token.until, now) === false && stored.runwayMs > 0,
      inTrouble: leastRunway.some(({ clientId }) => clientId === ids[i]),
    };
  });
  const wanted = [...clients.values()].map(({ state, queued, inTrouble, token: held }) => ({
    ...state,
    ...{ queued, inTrouble, due: 'as wanted', rest: 'as wanted', runway: 'as wanted' },
    ...{ generation: held?.generation, secretVersion: held?.secretVersion, undead: held && false },
  }));
  expect({ depth, seen }).toEqual({ depth: wanted.filter(({ queued }) => queued).length, seen: wanted });
  for (const [id, { token: stored, minimumVersion }] of clients) {
    const old = before.get(id);
    if (!stored || stored.generation === old?.generation) continue;
    // I6: nothing is stored that was got with a secret replaced before.
    expect(stored.secretVersion).toBe(minimumVersion);
    // I5: neither generation nor end go back, but where the secret was replaced or the client changed.
    if (!old || old.changed || stored.secretVersion > old.secretVersion) continue;
    expect(Number(stored.generation)).toBeGreaterThan(Number(old.generation));
    expect(isAfter(old.until, stored.until)).not.toBe(true);
  }
}

/** The more frequent, the more often they are named. */
export const commands = [
  ...[enqueue, claimDue, claimDue, claimOne, claimOne, race, commit, commit, commit, commit],
  ...[postpone, postpone, change, remove, removeFor, crash, advance, advance, advance],
];
