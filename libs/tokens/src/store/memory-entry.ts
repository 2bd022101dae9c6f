import type { Attempt, Attempts, NewToken } from './token-store';

/** A client in memory; all times are monotonic, ms. */
export interface Entry extends Omit<Attempts, 'unasked'> {
  dueAt: number;
  minimumVersion: number;
  claim: string;
  heldUntil: number;
  notBefore: number;
  /** Whoever wants it: the minimum interval between two requests. */
  notAskedBefore: number;
  /** The last attempt failed, or was held back. */
  inTrouble: boolean;
  /** When a renewal was forced last, and the generation that had been rejected then. */
  forcedAt: number;
  rejected?: string;
  /** Oldest first. */
  attempts: Attempt[];
  token?: NewToken & { generation: string; until: number };
}

export function newEntry(dueAt: number): Entry {
  const times = { dueAt, heldUntil: 0, notBefore: 0, notAskedBefore: 0, forcedAt: -Infinity };
  return { ...times, minimumVersion: 0, claim: '', failures: 0, refusals: 0, inTrouble: false, attempts: [] };
}

/** An attempt has ended: the claim is free, and what it had to say follows. */
export function endAttempt(entry: Entry): void {
  entry.heldUntil = 0;
  entry.notBefore = 0;
  entry.failures = 0;
  entry.refusals = 0;
  entry.inTrouble = false;
  delete entry.lastFailure;
}
