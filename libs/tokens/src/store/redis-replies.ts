import { latestAttempts } from './attempts';
import type { Attempt, ClaimAnswer, ClientState } from './token-store';

/** What a script answers with: as buffers where it was called so. */
export type Reply = (Buffer | null)[];

/** Of `claimOne-3.lua`, and of `claimRejected-3.lua` where it does not only look. */
export function claimAnswer(clientId: string, reply: Reply): ClaimAnswer {
  const [outcome, value, failed] = reply.map(String);
  if (outcome === 'claimed') {
    return { outcome, claim: { clientId, generation: value!, ...(failed === '1' && { retry: true }) } };
  }
  if (outcome === 'newer') return { outcome };
  return { outcome: outcome as 'held' | 'resting', waitMs: Number(value) };
}

/**
 * Of `read-3.lua`.
 * @param wallClock ours, ms
 */
export function stateIn(reply: Reply, wallClock: number): ClientState {
  const [now, dueAt, sealed, rest, generation, version, until, untilByRedis, life, failures, refusals, failure] = reply;
  const state: ClientState = { failures: Number(failures ?? 0), refusals: Number(refusals ?? 0) };
  if (dueAt) state.dueInMs = Number(dueAt) - Number(now);
  if (Number(rest) > 0) state.restMs = Number(rest);
  if (failure && failure.length > 0) state.lastFailure = JSON.parse(String(failure));
  if (sealed) {
    state.token = {
      generation: String(generation),
      secretVersion: Number(version),
      sealed,
      // Two clocks: whichever of them was moved, the other keeps a dead token from being served.
      runwayMs: Math.min(Number(untilByRedis) - Number(now), Number(until) - wallClock),
      servableLifeMs: Number(life),
    };
  }
  return state;
}

/** Of a client's hash: the attempts that went well. */
export const historyFields = ['q', 'w', 'j', 'y', 'y0', 'y1', 'y2', 'y3', 'y4'] as const;

/** @param failures JSON of each attempt that failed */
export function attemptsIn([requestId, lastAt, next, newest, ...older]: Reply, failures: string[]): Attempt[] {
  const oldest = Number(next ?? 0); // what is written next is what has been there the longest
  const parts = [...older.slice(oldest), ...older.slice(0, oldest), newest].flatMap((part) => part ?? []);
  return latestAttempts(
    { records: Buffer.concat(parts), lastAtSeconds: Number(lastAt ?? 0), requestId: String(requestId ?? '') },
    failures.map((json) => JSON.parse(json) as Attempt),
  );
}
