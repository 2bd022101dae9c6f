import {
  type Attempts,
  type Claim,
  type ClaimAnswer,
  type Commit,
  leaseMs,
  minRestMs,
  type NewToken,
} from './token-store';

/** When something is or was, as far as that is known: stores on real clocks do a thing somewhen during a call. */
export interface Span {
  from: number;
  to: number;
}

const never: Span = { from: -Infinity, to: -Infinity };
const later = ({ from, to }: Span, ms: number): Span => ({ from: from + ms, to: to + ms });
const latest = (a: Span, b: Span): Span => ({ from: Math.max(a.from, b.from), to: Math.max(a.to, b.to) });
const either = (a: Span, b: Span): Span => ({ from: Math.min(a.from, b.from), to: Math.max(a.to, b.to) });

/** Whether `a` comes after `b`; undefined where that cannot be told. */
export function isAfter(a: Span, b: Span): boolean | undefined {
  if (a.from > b.to) return true;
  return a.to <= b.from ? false : undefined;
}

/** The answers that are right, going through conditions in their order: the first that holds decides. */
function firstOf<T>(conditions: [boolean | undefined, T][], otherwise: T): T[] {
  const right: T[] = [];
  for (const [holds, answer] of conditions) {
    if (holds !== false) right.push(answer);
    if (holds === true) return right;
  }
  return [...right, otherwise];
}

interface ModelToken {
  generation: string;
  secretVersion: number;
  until: Span;
  storedAt: Span;
  /** A change says that whatever comes next replaces it. */
  changed: boolean;
}

/** What a client in a token store is, without scripts, keys or fields: one plain object. */
export class ClientModel {
  queued = false;
  due = never;
  minimumVersion = 0;
  /** The generation that may commit. */
  claim = '';
  heldUntil = never;
  notBefore = never;
  state: Attempts = { failures: 0, refusals: 0 };
  inTrouble = false;
  token: ModelToken | undefined;
  /** Oldest first. */
  outcomes: string[] = [];

  /** The answers to a claim on demand that are right. */
  claimAnswers(seen: string, insists: boolean, now: Span): ClaimAnswer['outcome'][] {
    const { token } = this;
    const newer = token !== undefined && Number(token.generation) > Number(seen) && isAfter(token.until, now);
    const rest = latest(this.notBefore, token ? later(token.storedAt, minRestMs) : never);
    return firstOf<ClaimAnswer['outcome']>(
      [
        [newer, 'newer'],
        [isAfter(this.heldUntil, now), 'held'],
        [!insists && isAfter(rest, now), 'resting'],
      ],
      'claimed',
    );
  }

  claimed({ generation }: Claim, now: Span): void {
    this.queued = true;
    this.claim = generation;
    this.heldUntil = this.due = later(now, leaseMs);
  }

  commitOutcomes({ generation }: Claim, { secretVersion, runwayMs }: NewToken, now: Span): Commit['outcome'][] {
    const { token } = this;
    if (generation !== this.claim) return ['fenced'];
    if (secretVersion < this.minimumVersion) return ['outdated'];
    if (!token || token.changed || secretVersion > token.secretVersion) return ['stored'];
    const alive = isAfter(token.until, now);
    const longer = isAfter(later(now, runwayMs), token.until);
    return firstOf<Commit['outcome']>(
      [
        [alive === undefined ? undefined : !alive, 'stored'],
        [longer, 'stored'],
      ],
      'sticky',
    );
  }

  committed({ generation }: Claim, issued: NewToken, outcome: Commit['outcome'], now: Span): void {
    if (outcome === 'fenced') return;
    this.heldUntil = never;
    if (outcome === 'outdated') {
      this.due = now;
      return;
    }
    const { token } = this;
    const unplanned = later(now, issued.unplannedRenewInMs ?? issued.renewInMs);
    const alive = this.state.failures === 0 && token !== undefined && isAfter(token.until, now);
    this.state = { failures: 0, refusals: 0 };
    this.inTrouble = false;
    this.outcomes.push(outcome === 'stored' ? 'renewed' : 'kept');
    if (outcome === 'sticky') {
      const half = (left: number): number => Math.max(1_000, left / 2);
      const { from, to } = token!.until;
      this.due = { from: now.from + half(from - now.to), to: now.to + half(to - now.from) };
      this.notBefore = {
        from: Math.min(this.due.from, now.from + 300_000),
        to: Math.min(this.due.to, now.to + 300_000),
      };
      return;
    }
    const planned = later(now, issued.renewInMs);
    this.due = alive === undefined ? either(planned, unplanned) : alive ? planned : unplanned;
    const until = later(now, issued.runwayMs);
    this.notBefore = this.due.from > until.to ? this.due : never;
    this.minimumVersion = issued.secretVersion;
    this.token = { generation, secretVersion: issued.secretVersion, until, storedAt: now, changed: false };
  }

  /** @returns what is right to answer */
  postponed(
    { generation }: Claim,
    delayMs: number,
    attempts: Attempts | undefined,
    version: number,
    now: Span,
  ): string {
    if (generation !== this.claim) return 'fenced';
    this.heldUntil = never;
    if (version < this.minimumVersion) {
      this.due = now;
      return 'outdated';
    }
    this.due = this.notBefore = later(now, delayMs);
    this.inTrouble = true;
    if (attempts) {
      const { unasked, ...state } = attempts;
      this.state = state;
      if (!unasked) this.outcomes.push('failed');
    }
    return 'postponed';
  }

  changed(secretVersion: number, dueInMs: number, now: Span): void {
    Object.assign(this, { queued: true, claim: '', heldUntil: never, notBefore: never, inTrouble: false });
    this.state = { failures: 0, refusals: 0 };
    this.minimumVersion = Math.max(this.minimumVersion, secretVersion);
    this.due = later(now, dueInMs);
    // Whether it still rests after the token that was stored before is left to the store.
    if (this.token)
      this.token = { ...this.token, changed: true, storedAt: { ...this.token.storedAt, from: -Infinity } };
  }

  /** @returns whether it was missing */
  enqueued(secretVersion: number, dueInMs: number, now: Span): boolean {
    const missing = !this.queued;
    if (missing) this.due = later(now, dueInMs);
    else if (this.minimumVersion > 0 && secretVersion > this.minimumVersion) {
      this.due = { from: Math.min(this.due.from, now.from), to: Math.min(this.due.to, now.to) };
    }
    this.queued = true;
    this.minimumVersion = Math.max(this.minimumVersion, secretVersion);
    return missing;
  }
}
