/** How many calls and tokens are remembered one by one; the counts go on beyond it. */
const remembered = 10_000;

export interface Call {
  /** ms since 1970, on the simulator's clock, when the request had arrived. */
  at: number;
  /** What the caller got; null while the call is still in progress. */
  outcome: string | null;
  /** When it got that; null until then. */
  ended_at: number | null;
}

/** Counts calls and remembers the latest, so that a test can assert exactly how often and when it was asked. */
export class CallLog {
  private total = 0;
  private outcomes: Record<string, number> = {};
  private recent: Call[] = [];

  begin(at: number): Call {
    const call: Call = { at, outcome: null, ended_at: null };
    this.total += 1;
    remember(this.recent, call);
    return call;
  }

  finish(call: Call, outcome: string, at: number): void {
    call.outcome = outcome;
    call.ended_at = at;
    this.outcomes[outcome] = (this.outcomes[outcome] ?? 0) + 1;
  }

  reset(): void {
    this.total = 0;
    this.outcomes = {};
    this.recent = [];
  }

  counts(): { calls: number; outcomes: Record<string, number> } {
    return { calls: this.total, outcomes: { ...this.outcomes } };
  }

  latest(): readonly Call[] {
    return this.recent;
  }
}

export function remember<Item>(items: Item[], item: Item): void {
  items.push(item);
  if (items.length > remembered) items.shift();
}
