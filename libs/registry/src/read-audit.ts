import type { Database } from './database';
import { type Page, pageOf, type PageRequest } from './page';

/** All reads of one client's token with one key within one second. */
export interface TokenReads {
  /** Rises with time, to the millisecond; from `readsId`. */
  id: string;
  /** Of the first of them. */
  at: Date;
  reads: number;
  service: string;
  /** Absent where the service showed no key of ours. */
  keyId: string | null;
  clientId: string;
  /** Its name at the time. */
  client: string;
  generation: string;
}

/** An id that was not there before, of a row of that moment (UUID version 7, RFC 9562 5.7). */
export function readsId(atMs: number): string {
  return timed(atMs, crypto.randomUUID().slice(15));
}

/** Ids of that moment and later ones are not below this. */
export function firstReadsId(atMs: number): string {
  return timed(atMs, '000-8000-000000000000');
}

function timed(atMs: number, end: string): string {
  const time = Math.max(0, atMs).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${end}`;
}

/** Who read which token, where every read is audited. No relations: what was read stays when client or service are deleted. */
export class ReadAudit {
  constructor(private readonly db: Database) {}

  /** All in one statement. What is there already is not written again: an answer that was lost is no reason to count twice. */
  async add(rows: TokenReads[]): Promise<void> {
    if (rows.length === 0) return;
    const column = <K extends keyof TokenReads>(name: K) => rows.map((row) => row[name]);
    await this.db.$executeRaw`
      INSERT INTO token_reads (id, at, reads, service, key_id, client_id, client, generation)
      SELECT * FROM unnest(
        ${column('id')}::uuid[], ${rows.map(({ at }) => at.toISOString())}::timestamptz[], ${column('reads')}::int[],
        ${column('service')}::text[], ${column('keyId')}::uuid[], ${column('clientId')}::uuid[],
        ${column('client')}::text[], ${column('generation')}::text[])
      ON CONFLICT (id) DO NOTHING`;
  }

  /**
   * The newest first.
   * @param request.from from this moment on, `to` before that one
   */
  async list(request: PageRequest & ReadsWanted): Promise<Page<TokenReads>> {
    const { service, client, from, to, after, limit } = request;
    const rows = await this.db.tokenRead.findMany({
      where: {
        ...(service !== undefined && { service }),
        ...(client !== undefined && { client }),
        AND: [
          ...(from ? [{ id: { gte: firstReadsId(from.getTime()) } }] : []),
          ...(to ? [{ id: { lt: firstReadsId(to.getTime()) } }] : []),
          ...(after !== undefined ? [{ id: { lt: after } }] : []),
        ],
      },
      orderBy: { id: 'desc' },
      take: limit + 1,
    });
    return pageOf(rows, limit, ({ id }) => id);
  }
}

interface ReadsWanted {
  /** Names. */
  service?: string;
  client?: string;
  from?: Date;
  to?: Date;
}
