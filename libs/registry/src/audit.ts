import type { Database, Transaction } from './database';
import type { Prisma } from './generated/client';
import { type Page, pageOf, type PageRequest } from './page';

/** Who makes a change, for the audit. */
export interface By {
  /** `admin:<name>` */
  actor: string;
  requestId?: string;
}

export interface AuditRecord {
  seq: string;
  at: Date;
  actor: string;
  action: string;
  target: string;
  detail: unknown;
  requestId: string | null;
}

/** Every change with who made it; the newest first. */
export class Audit {
  constructor(private readonly db: Database) {}

  /** Writes down what changes nothing here and matters all the same. */
  async note(by: By, action: string, target: string, detail: Prisma.InputJsonObject): Promise<void> {
    await record(this.db, by, action, target, detail);
  }

  async list(request: PageRequest & { target?: string }): Promise<Page<AuditRecord>> {
    const rows = await this.db.auditEntry.findMany({
      where: {
        ...(request.target !== undefined && { target: request.target }),
        ...(request.after !== undefined && { seq: { lt: BigInt(request.after) } }),
      },
      orderBy: { seq: 'desc' },
      take: request.limit + 1,
    });
    return pageOf(
      rows.map((row) => ({ ...row, seq: String(row.seq) })),
      request.limit,
      (row) => row.seq,
    );
  }
}

/** Writes the audit row of a change, in the transaction of that change: both commit or neither does. */
export async function record(
  tx: Transaction,
  by: By,
  action: string,
  target: string,
  detail: Prisma.InputJsonObject = {},
): Promise<void> {
  await tx.auditEntry.create({
    data: { actor: by.actor, action, target, detail, requestId: by.requestId ?? null },
  });
}
