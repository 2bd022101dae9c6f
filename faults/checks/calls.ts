import { type Call, type ClientLife, gotToken, overlaps, type Record, touchesClient } from '../record';
import { crowdsOf } from './crowd';
import { slackMs, type Violation } from './violation';

/** Renewals are planned between these shares of a token's life. */
const share = { earliest: 0.6, latest: 0.7 };
/** From when a renewal is planned to when the provider hears of it, and the same the other way round. */
const jitterMs = 250;
/** The `exp` of a JWT is in whole seconds: a life may come out shorter by so much. */
const roundingMs = 1_000;
const tenSeconds = 10_000;
/** Retries double from a second on, so in ten seconds there is no room for more, and one for a reader's demand. */
const triesInTenSeconds = 8;

/** I2, I3: one call for each renewal interval, and under faults at most as many more as faults touched the client. */
export function callsAreFew({ clients, faults }: Record): Violation[] {
  const ofCrowd = crowdsOf({ clients, faults });
  return clients.flatMap((client): Violation[] => {
    const { name, lifeSeconds } = client;
    let extra = 0;
    return earlyCalls(client).flatMap(({ from, at }): Violation[] => {
      if (ofCrowd(name, from)) return [];
      const touching = faults.filter((fault) => touchesClient(fault, name) && fault.from <= at + jitterMs);
      // What has no bound has its effect for as long as what it left in the store, a life.
      const unbounded = touching.filter(({ extraCalls }) => extraCalls === Infinity);
      if (unbounded.some((fault) => overlaps(fault, from - lifeSeconds * 1_000, at))) return [];
      extra += 1;
      const bounded = touching.filter((fault) => !unbounded.includes(fault));
      const explained = bounded.reduce((sum, { extraCalls }) => sum + extraCalls, 0);
      if (extra <= explained) return [];
      const what = `the provider was asked again for ${name} after ${at - from} ms of a life of ${lifeSeconds} s: extra call ${extra}, while faults explain ${explained}`;
      return [{ invariant: touching.length > 0 ? 'I3' : 'I2', what, at }];
    });
  });
}

/** Calls that got a token although the one before them was not due for renewal yet. */
function earlyCalls({ calls, lifeSeconds }: ClientLife): { from: number; at: number }[] {
  const good = calls.filter(({ outcome }) => gotToken(outcome));
  return (
    good
      .slice(1)
      .map(({ at }, index) => ({ from: good[index]!.at, at, tookMs: tookMs(good[index]!) }))
      // Who answers late may be given up: connecting, 2 s, is the shortest patience.
      .filter((pair) => pair.tookMs < 2_000)
      .filter(({ from, at }) => at - from < earliestMs(lifeSeconds))
  );
}

/** From when the provider had the request to when it had answered. */
const tookMs = ({ at, ended_at }: Call): number => (ended_at === null ? Infinity : ended_at - at);

function earliestMs(lifeSeconds: number): number {
  return Math.max(1, share.earliest * (lifeSeconds * 1_000 - roundingMs) - jitterMs);
}

/** Failures must not become a hot loop, whatever the provider answers. */
export function noHotLoops({ clients, faults }: Record): Violation[] {
  return clients.flatMap(({ name, calls, lifeSeconds }): Violation[] => {
    const planned = Math.ceil(tenSeconds / earliestMs(lifeSeconds));
    for (const [index, { at: from }] of calls.entries()) {
      const to = from + tenSeconds;
      const touching = faults.filter((fault) => touchesClient(fault, name) && overlaps(fault, from - tenSeconds, to));
      const atMost = triesInTenSeconds + planned + touching.reduce((sum, { extraCalls }) => sum + extraCalls, 0);
      const within = calls.slice(index).filter(({ at }) => at < to).length;
      if (within <= atMost) continue;
      return [
        { invariant: 'I3', what: `${within} calls for ${name} in 10 s: at most ${atMost} are explained`, at: from },
      ];
    }
    return [];
  });
}

/** I4: a renewal is late by no more than what happened explains: a dead worker's lease, a fault's own time and its after-effects. */
export function renewalsAreInTime({ clients, faults, stalls, endedAt }: Record): Violation[] {
  return clients.flatMap(({ name, calls, lifeSeconds, inactive, quota }): Violation[] => {
    if (quota) return []; // its clients wait for their turn
    const good = calls.filter(({ outcome }) => gotToken(outcome));
    return good.flatMap((call, index): Violation[] => {
      const [from, to] = [call.at, good[index + 1]?.at ?? endedAt];
      if (inactive.some((span) => overlaps(span, from, to))) return [];
      const touching = faults.filter((fault) => touchesClient(fault, name) && overlaps(after(fault), from, to));
      const forgiven = touching.reduce((sum, fault) => sum + lasted(fault, from, to) + fault.delaysMs, 0);
      const dueAfter = share.latest * lifeSeconds * 1_000;
      const stalled = stalls
        .filter((span) => overlaps(span, from, to))
        .reduce((sum, span) => sum + span.to - span.from, 0);
      const late = to - from - dueAfter - forgiven - stalled - tookMs(call) - slackMs;
      if (late <= 0) return [];
      const causes = touching.map(({ what }) => what).join(', ') || 'no fault';
      const what = `${name} was not renewed for ${to - from} ms, ${Math.round(late)} ms more than a life of ${lifeSeconds} s and ${causes} explain`;
      return [{ invariant: 'I4', what, at: to }];
    });
  });
}

const after = ({ from, to, delaysMs }: Record['faults'][number]): { from: number; to?: number } => ({
  from,
  ...(to !== undefined && { to: to + delaysMs }),
});

/** How long it lasted within the span. */
function lasted(fault: Record['faults'][number], from: number, to: number): number {
  return Math.max(0, Math.min(fault.to ?? to, to) - Math.max(fault.from, from));
}

/** I8: in no window of the quota are there more calls than it allows, over all clients that share it. */
export function quotasHold({ clients, faults }: Record): Violation[] {
  const quotas = new Map(clients.flatMap(({ quota }) => (quota ? [[quota.name, quota] as const] : [])));
  return [...quotas.values()].flatMap(({ name, requests, windowSeconds }): Violation[] => {
    const sharing = clients.filter(({ quota }) => quota?.name === name);
    const at = sharing.flatMap(({ calls }) => calls.map((call) => call.at)).toSorted((a, b) => a - b);
    const forgotten = faults.filter(({ breaks }) => breaks.includes('quotas'));
    const start = at.findIndex((from, index) => {
      const to = at[index + requests] ?? Infinity;
      return to - from < windowSeconds * 1_000 && !forgotten.some((fault) => overlaps(fault, from, to));
    });
    if (start < 0) return [];
    const span = at[start + requests]! - at[start]!;
    const what = `${requests + 1} calls within ${span} ms, where ${name} allows ${requests} in ${windowSeconds} s`;
    return [{ invariant: 'I8', what, at: at[start]! }];
  });
}
