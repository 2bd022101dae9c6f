import type { Database } from './database';

/** Those clients of one version of a provider that a service was granted. */
export interface GrantedKind {
  provider: string;
  providerVersion: number;
  /** How many there are, enabled or not; 1 or more. */
  clients: number;
  /** The name of one of them. */
  example: string;
}

/** What a service may ask for when it has not said which client it means. */
export class GrantedClients {
  constructor(private readonly db: Database) {}

  /** A row for each kind of client, since a label may grant a hundred thousand of one kind. */
  async kinds(service: string): Promise<GrantedKind[]> {
    return this.db.$queryRaw<GrantedKind[]>`
      WITH granted AS MATERIALIZED (
        SELECT g.client_id, g.label_key, g.label_value
        FROM grants g JOIN services s ON s.id = g.service_id
        WHERE s.name = ${service}),
      named AS (
        SELECT client_id AS id FROM granted WHERE client_id IS NOT NULL
        UNION
        SELECT l.id FROM granted g CROSS JOIN LATERAL (
          SELECT id FROM clients WHERE labels ->> g.label_key = g.label_value) l
        WHERE g.label_key IS NOT NULL)
      SELECT c.provider, c.provider_version AS "providerVersion", count(*)::int AS clients, min(c.name) AS example
      FROM clients c JOIN named USING (id)
      GROUP BY c.provider, c.provider_version
      ORDER BY c.provider, c.provider_version`;
  }
}
