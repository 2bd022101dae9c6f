import { type By, record } from './audit';
import type { Database } from './database';
import { AlreadyExists, isUniqueViolation, NotFound } from './errors';
import { type Page, pageOf, type PageRequest } from './page';

/** What is granted: one client by its name, or every client carrying a label (`key=value`). */
export type Granted = { client: string } | { label: string };

export interface GrantRecord {
  id: string;
  service: string;
  client: string | null;
  /** `key=value` */
  label: string | null;
  createdAt: Date;
}

const withNames = { service: { select: { name: true } }, client: { select: { name: true } } } as const;

/** Which service may fetch which client's token. */
export class Grants {
  constructor(private readonly db: Database) {}

  /** @throws NotFound, AlreadyExists */
  async create(serviceName: string, granted: Granted, by: By): Promise<GrantRecord> {
    const said = 'client' in granted ? granted.client : granted.label;
    try {
      return await this.db.$transaction(async (tx) => {
        const service = await tx.service.findUnique({ where: { name: serviceName } });
        if (!service) throw new NotFound('service', serviceName);
        let target: { clientId: string } | { labelKey: string; labelValue: string };
        if ('client' in granted) {
          const client = await tx.client.findUnique({ where: { name: granted.client }, select: { id: true } });
          if (!client) throw new NotFound('client', granted.client);
          target = { clientId: client.id };
        } else {
          const separator = granted.label.indexOf('=');
          target = { labelKey: granted.label.slice(0, separator), labelValue: granted.label.slice(separator + 1) };
        }
        const row = await tx.grant.create({ data: { serviceId: service.id, ...target }, include: withNames });
        await record(tx, by, 'grant.created', `service:${serviceName}`, { ...granted });
        return toRecord(row);
      });
    } catch (error) {
      if (isUniqueViolation(error)) throw new AlreadyExists('grant', `${serviceName} -> ${said}`);
      throw error;
    }
  }

  async list(request: PageRequest & { service?: string; client?: string }): Promise<Page<GrantRecord>> {
    const rows = await this.db.grant.findMany({
      where: {
        ...(request.service !== undefined && { service: { name: request.service } }),
        ...(request.client !== undefined && { client: { name: request.client } }),
        ...(request.after !== undefined && { id: { gt: request.after } }),
      },
      include: withNames,
      orderBy: { id: 'asc' },
      take: request.limit + 1,
    });
    return pageOf(rows.map(toRecord), request.limit, (row) => row.id);
  }

  /** @throws NotFound */
  async delete(id: string, by: By): Promise<void> {
    await this.db.$transaction(async (tx) => {
      const row = await tx.grant.findUnique({ where: { id }, include: withNames });
      if (!row) throw new NotFound('grant', id);
      const { count } = await tx.grant.deleteMany({ where: { id } });
      if (count === 0) throw new NotFound('grant', id);
      const { service, client, label } = toRecord(row);
      await record(tx, by, 'grant.deleted', `service:${service}`, client === null ? { label } : { client });
    });
  }
}

function toRecord(row: {
  id: string;
  createdAt: Date;
  labelKey: string | null;
  labelValue: string | null;
  service: { name: string };
  client: { name: string } | null;
}): GrantRecord {
  return {
    id: row.id,
    service: row.service.name,
    client: row.client?.name ?? null,
    label: row.labelKey === null ? null : `${row.labelKey}=${row.labelValue}`,
    createdAt: row.createdAt,
  };
}
