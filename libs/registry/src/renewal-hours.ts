import type { Database } from './database';
import { Prisma } from './generated/client';
import { type Page, pageOf, type PageRequest } from './page';

/** What the renewals of one kind came to in one hour. */
export interface RenewalHour {
  /** Its beginning. */
  hour: Date;
  provider: string;
  outcome: string;
  /** Empty where there is none to give. */
  reason: string;
  count: number;
  durationMsSum: number;
  durationMsMax: number;
  latenessMsMax: number;
}

/** What its columns hold: 24 days. Whatever was later than that, as after a clock has jumped, must not keep the rest out. */
const maxInteger = 2 ** 31 - 1;

/** The renewals of each hour, added up. */
export class RenewalHours {
  constructor(private readonly db: Database) {}

  /** Adds to what is there, all rows in one statement; sorted, so that two replicas never wait for each other. */
  async add(hours: RenewalHour[]): Promise<void> {
    if (hours.length === 0) return;
    const column = <K extends keyof RenewalHour>(name: K) => hours.map((hour) => hour[name]);
    const numbers = (name: 'count' | 'durationMsSum' | 'durationMsMax' | 'latenessMsMax') =>
      column(name).map((number) => Math.min(Math.round(number), name === 'durationMsSum' ? Infinity : maxInteger));
    await this.db.$executeRaw`
      INSERT INTO renewal_hours AS kept
        (hour, provider, outcome, reason, count, duration_ms_sum, duration_ms_max, lateness_ms_max)
      SELECT * FROM unnest(
        ${column('hour').map((hour) => hour.toISOString())}::timestamptz[], ${column('provider')}::text[],
        ${column('outcome')}::text[], ${column('reason')}::text[], ${numbers('count')}::int[],
        ${numbers('durationMsSum')}::bigint[], ${numbers('durationMsMax')}::int[], ${numbers('latenessMsMax')}::int[])
      ORDER BY 1, 2, 3, 4
      ON CONFLICT (hour, provider, outcome, reason) DO UPDATE SET
        count = kept.count + excluded.count,
        duration_ms_sum = kept.duration_ms_sum + excluded.duration_ms_sum,
        duration_ms_max = greatest(kept.duration_ms_max, excluded.duration_ms_max),
        lateness_ms_max = greatest(kept.lateness_ms_max, excluded.lateness_ms_max)`;
  }

  /**
   * The hours that begin at `from` or later and before `to`, the oldest first.
   * @param request.after `hour|provider|outcome|reason`
   */
  async list(request: PageRequest & { from: Date; to: Date; provider?: string }): Promise<Page<RenewalHour>> {
    const { from, to, provider, after, limit } = request;
    const [hour, ...names] = after?.split('|') ?? [];
    const only = provider === undefined ? Prisma.empty : Prisma.sql`AND provider = ${provider}`;
    const behind =
      hour === undefined
        ? Prisma.empty
        : Prisma.sql`AND (hour, provider, outcome, reason) > (${hour}::timestamptz, ${names[0]}, ${names[1]}, ${names[2]})`;
    const rows = await this.db.$queryRaw<RenewalHour[]>`
      SELECT hour, provider, outcome, reason, count, duration_ms_sum::float8 AS "durationMsSum",
             duration_ms_max AS "durationMsMax", lateness_ms_max AS "latenessMsMax"
      FROM renewal_hours
      WHERE hour >= ${from.toISOString()}::timestamptz AND hour < ${to.toISOString()}::timestamptz ${only} ${behind}
      ORDER BY hour, provider, outcome, reason LIMIT ${limit + 1}`;
    return pageOf(rows, limit, (row) => [row.hour.toISOString(), row.provider, row.outcome, row.reason].join('|'));
  }
}
