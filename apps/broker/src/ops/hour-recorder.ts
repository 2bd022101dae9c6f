import type { RenewalHour, RenewalHours } from '#registry';
import type { RenewalEvent, TokenEvent, TokenEvents } from '#tokens';

const hourMs = 3_600_000;
/** Of one hour there are a few for each provider: so many only gather while the database is away for days. */
const maxRows = 10_000;

/** Adds up the renewals of each hour in this process, and carries the sums to the database, many at once. */
export class HourRecorder implements TokenEvents {
  #sums = new Map<string, RenewalHour>();
  #writing = false;

  constructor(
    private readonly hours: RenewalHours,
    private readonly now: () => number = Date.now,
  ) {}

  renewed(event: TokenEvent<'renewed'>): void {
    this.#ended(event, 'renewed', '');
  }

  renewalFailed(event: TokenEvent<'renewalFailed'>): void {
    this.#ended(event, 'failed', event.failure.code);
  }

  tokenDiscarded(event: TokenEvent<'tokenDiscarded'>): void {
    if (event.why === 'sticky') this.#ended(event, 'kept', '');
    else this.#ended(event, 'discarded', event.why);
  }

  heldBack({ provider, why }: TokenEvent<'heldBack'>): void {
    this.#add({ ...this.#hour(), ...{ provider, outcome: 'held_back', reason: why } });
  }

  /**
   * Writes what was added up since the last time; keeps it for the next time when the database does not answer. What it
   * has written without our hearing of it is then counted twice.
   */
  async flush(): Promise<void> {
    if (this.#writing || this.#sums.size === 0) return;
    this.#writing = true;
    const sums = this.#sums;
    this.#sums = new Map();
    try {
      await this.hours.add([...sums.values()]);
    } catch (error) {
      const since = this.#sums;
      this.#sums = sums;
      for (const row of since.values()) this.#add(row);
      throw error;
    } finally {
      this.#writing = false;
    }
  }

  #ended({ provider, durationMs, latenessMs = 0 }: RenewalEvent, outcome: string, reason: string): void {
    const times = { durationMsSum: durationMs, durationMsMax: durationMs, latenessMsMax: latenessMs };
    this.#add({ ...this.#hour(), ...times, ...{ provider, outcome, reason } });
  }

  #hour() {
    const hour = new Date(Math.floor(this.now() / hourMs) * hourMs);
    return { hour, count: 1, durationMsSum: 0, durationMsMax: 0, latenessMsMax: 0 };
  }

  #add(row: RenewalHour): void {
    const key = [row.hour.getTime(), row.provider, row.outcome, row.reason].join('|');
    const sum = this.#sums.get(key);
    if (!sum) {
      if (this.#sums.size < maxRows) this.#sums.set(key, row);
      return;
    }
    sum.count += row.count;
    sum.durationMsSum += row.durationMsSum;
    sum.durationMsMax = Math.max(sum.durationMsMax, row.durationMsMax);
    sum.latenessMsMax = Math.max(sum.latenessMsMax, row.latenessMsMax);
  }
}
