import type { Database, Transaction } from './database';
import { Prisma } from './generated/client';
import { type Page, pageOf } from './page';

export interface EventRecord {
  /** Rises from event to event, with gaps. */
  seq: string;
  at: Date;
  kind: string;
  /** Name of the client. */
  client: string | null;
  provider: string | null;
  detail: unknown;
}

export interface EventRequest {
  /** Only of the client of that name. */
  client?: string;
  /** Those behind this one, in the order asked for. */
  after?: string;
  limit: number;
  newestFirst?: boolean;
}

export interface BreakerChange {
  provider: string;
  origin: string;
  state: 'open' | 'closed';
}

/** Any number; the one that migrations take (prisma/turn.ts) is another. */
const turnLock = 7270736901;

/**
 * The turn to insert events, as a CTE. A sequence gives its numbers out before the rows that have them can be seen: of two
 * transactions at once the one with the higher number may commit first, and who had read that one would never see the
 * other. So whoever inserts holds this lock from before it gets a number until it has committed. It comes after all row
 * locks of the transaction, so that two never wait for each other. One that stops in the middle of a transaction of
 * several statements, its process frozen, is ended by PostgreSQL after 5 s.
 */
const takeTurn = Prisma.sql`
  SELECT pg_advisory_xact_lock(${turnLock}::bigint), set_config('idle_in_transaction_session_timeout', '5000', true)`;

/** The changes by which people follow what goes on. */
export class Events {
  constructor(private readonly db: Database) {}

  async list({ client, after, limit, newestFirst = false }: EventRequest): Promise<Page<EventRecord>> {
    const rows = await this.db.event.findMany({
      where: {
        ...(client !== undefined && { client }),
        ...(after !== undefined && { seq: newestFirst ? { lt: BigInt(after) } : { gt: BigInt(after) } }),
      },
      orderBy: { seq: newestFirst ? 'desc' : 'asc' },
      take: limit + 1,
      omit: { clientId: true },
    });
    return pageOf(
      rows.map((row) => ({ ...row, seq: String(row.seq) })),
      limit,
      (row) => row.seq,
    );
  }

  /** The number of the newest event; 0 before the first. */
  async newest(): Promise<string> {
    const { _max } = await this.db.event.aggregate({ _max: { seq: true } });
    return String(_max.seq ?? 0);
  }

  /** Every replica sees a provider fail by itself: what the newest event of an origin says already is no event. */
  async recordBreakers(changes: BreakerChange[]): Promise<void> {
    for (const { provider, origin, state } of changes) {
      const kind = 'provider.breaker_changed';
      // The turn first, in a statement of its own: only the next one sees what was inserted while this one waited.
      await this.db.$transaction([
        this.db.$executeRaw(takeTurn),
        this.db.$executeRaw`
          INSERT INTO events (at, kind, provider, detail)
          SELECT clock_timestamp(), ${kind}, ${provider}, jsonb_build_object('origin', ${origin}::text, 'state', ${state}::text)
          WHERE ${state} IS DISTINCT FROM coalesce((
            SELECT detail ->> 'state' FROM events
            WHERE provider = ${provider} AND kind = ${kind} AND detail ->> 'origin' = ${origin}
            ORDER BY seq DESC LIMIT 1), 'closed')`,
      ]);
    }
  }
}

/**
 * Writes conditions that differ from those there are, and an event for each that is another condition, in one statement:
 * nothing has to come from here for it to commit, however slow this process is.
 */
export async function recordConditions(
  db: Database,
  changes: { id: string; condition: string; reason: string | null }[],
): Promise<void> {
  const column = (name: 'id' | 'condition' | 'reason') => changes.map((change) => change[name]);
  // "counted" reads all of "changed": the turn is waited for when all rows are locked, and only where there is an event.
  await db.$executeRaw`
    WITH before AS MATERIALIZED (
      SELECT c.id, c.condition AS was, n.condition, n.reason
      FROM clients c JOIN unnest(${column('id')}::uuid[], ${column('condition')}::text[], ${column('reason')}::text[])
        AS n(id, condition, reason) ON c.id = n.id
      WHERE c.enabled AND (c.condition, c.reason) IS DISTINCT FROM (n.condition, n.reason)
      ORDER BY c.id FOR UPDATE OF c
    ), changed AS (
      UPDATE clients SET condition = b.condition, reason = b.reason,
        condition_since = CASE WHEN b.was = b.condition THEN clients.condition_since ELSE now() END
      FROM before b WHERE clients.id = b.id
      RETURNING clients.id, clients.name, clients.provider, b.was, b.condition, b.reason
    ), counted AS MATERIALIZED (
      SELECT count(*) AS events FROM changed WHERE was <> condition
    ), turn AS MATERIALIZED (${takeTurn} FROM counted WHERE events > 0)
    INSERT INTO events (at, kind, client_id, client, provider, detail)
    SELECT clock_timestamp(), ${conditionKind}, id, name, provider, ${conditionDetail}
    FROM turn CROSS JOIN changed WHERE was <> condition ORDER BY id`;
}

/** The event of a condition that an admin has changed; the last statement of the transaction of that change. */
export async function recordCondition(
  tx: Transaction,
  client: { id: string; name: string; provider: string; was: string; condition: string },
): Promise<void> {
  const { id, name, provider, was, condition } = client;
  if (was === condition) return;
  await tx.$executeRaw`
    WITH turn AS MATERIALIZED (${takeTurn})
    INSERT INTO events (at, kind, client_id, client, provider, detail)
    SELECT clock_timestamp(), ${conditionKind}, ${id}::uuid, ${name}, ${provider}, ${conditionDetail}
    FROM turn CROSS JOIN (SELECT ${was}::text AS was, ${condition}::text AS condition, NULL::text AS reason) AS changed`;
}

const conditionKind = 'client.condition_changed';
const conditionDetail = Prisma.sql`
  jsonb_strip_nulls(jsonb_build_object('condition', condition, 'before', was, 'reason', reason))`;
