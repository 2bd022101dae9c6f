/** As operators know it: open, the provider is not asked; half open, one request finds out whether it answers again. */
export type BreakerState = 'closed' | 'half_open' | 'open';

const windowMs = 10_000;
const bucketMs = 1_000;
const least = { calls: 20, failedShare: 0.5 };
const probeEveryMs = 5_000;

/** The right to send one request; what became of it is told to the breaker that gave it. */
export interface Ticket {
  readonly probe: boolean;
}

/**
 * Keeps requests from a provider that fails most of them: it opens when half of at least 20 calls within 10 s failed, and
 * lets one through every 5 s until one is answered. By the clock that nobody can set, and without waiting in line: who
 * may not ask is told for how long.
 */
export class Breaker {
  #state: BreakerState = 'closed';
  /** No probe before this, ms. */
  #nextProbe = 0;
  #buckets: { since: number; calls: number; failed: number }[] = [];

  constructor(
    private readonly monotonic: () => number,
    private readonly onChange: (state: BreakerState) => void,
  ) {}

  get state(): BreakerState {
    return this.#state;
  }

  /** A ticket, or the ms for which there is none. */
  ask(): Ticket | { waitMs: number } {
    if (this.#state === 'closed') return { probe: false };
    const now = this.monotonic();
    if (now < this.#nextProbe) return { waitMs: this.#nextProbe - now };
    // Should the probe come to nothing, the next one goes in its turn.
    this.#nextProbe = now + probeEveryMs;
    this.#become('half_open');
    return { probe: true };
  }

  /** @param answered false: the provider gave no usable answer; undefined: nothing was learnt of it */
  settle({ probe }: Ticket, answered: boolean | undefined): void {
    if (answered === undefined) return;
    // A probe may take longer than the time until the next one, which was answered meanwhile.
    if (probe && this.#state !== 'closed') {
      this.#buckets = [];
      this.#become(answered ? 'closed' : 'open');
      return;
    }
    // What was sent before it opened says nothing new.
    if (this.#state !== 'closed') return;
    const now = this.monotonic();
    const bucket = this.#bucket(now);
    bucket.calls++;
    if (!answered) bucket.failed++;
    const sum = (part: 'calls' | 'failed') => this.#buckets.reduce((total, each) => total + each[part], 0);
    const calls = sum('calls');
    if (answered || calls < least.calls || sum('failed') < calls * least.failedShare) return;
    this.#nextProbe = now + probeEveryMs;
    this.#become('open');
  }

  #bucket(now: number): { calls: number; failed: number } {
    this.#buckets = this.#buckets.filter(({ since }) => since > now - windowMs);
    const latest = this.#buckets.at(-1);
    if (latest && now - latest.since < bucketMs) return latest;
    const bucket = { since: now, calls: 0, failed: 0 };
    this.#buckets.push(bucket);
    return bucket;
  }

  #become(state: BreakerState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.onChange(state);
  }
}
