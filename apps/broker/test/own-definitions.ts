import { runSql } from '../../../test/harness/database';
import { type Answer, type Fleet, startFleet } from './fleet';
import { type Issuer, startIssuer } from './issuer';

/** A definition by which the issuer can tell which version it was asked by. */
export const acme = (mark: string, more: object = {}): object => ({
  id: 'acme',
  title: `Acme ${mark}`,
  inputs: { base_url: { format: 'url' }, client: {}, secret: { secret: true } },
  steps: [
    {
      ...{ id: 'token', method: 'POST', url: '{{inputs.base_url}}/token', headers: { 'x-mark': mark } },
      body: { form: { client: '{{inputs.client}}', secret: '{{inputs.secret}}' } },
    },
  ],
  token: { value: '{{steps.token.body.access_token}}', expiry: [{ in: '{{steps.token.body.expires_in}}' }] },
  present: { headers: { authorization: 'Bearer {{token}}' } },
  ...more,
});

/** Two brokers, an issuer that they may reach, and a service that may fetch the token of every client. */
export interface Room {
  fleet: Fleet;
  issuer: Issuer;
  /** Of the service. */
  key: string;
  create(definition: object): Promise<Answer>;
  change(id: string, definition: object, etag?: string): Promise<Answer>;
  inputs(name: string): object;
  /** Registers a client that the issuer hears of as `client=name`. */
  register(name: string, provider: string, more?: object): Promise<Answer>;
  patch(name: string, body: object, query?: string): Promise<Answer>;
  get(path: string): Promise<any>;
  /** Action and detail, the newest first. */
  audit(target: string): Promise<[string, object][]>;
  /** By which versions the issuer was asked for that client. */
  marksOf(name: string): unknown[];
  sql(text: string): Promise<void>;
  close(): Promise<void>;
}

export async function startRoom(): Promise<Room> {
  const issuer = await startIssuer();
  const fleet = await startFleet(2, { ALLOWED_PROVIDER_HOSTS: issuer.url });
  const { admin } = fleet;
  await admin('POST', '/v1/services', { name: 'reader' });
  await admin('POST', '/v1/grants', { service: 'reader', label: 'read=yes' });
  const { key } = (await admin('POST', '/v1/services/reader/keys', {})).body;
  const get = async (path: string) => (await admin('GET', path)).body;
  const inputs = (name: string) => ({ base_url: issuer.url, client: name, secret: `secret-of-${name}` });
  return {
    ...{ fleet, issuer, key, get, inputs },
    create: (definition) => admin('POST', '/v1/providers', { definition }),
    change: (id, definition, etag = '*') => admin('PUT', `/v1/providers/${id}`, { definition }, { 'if-match': etag }),
    register: async (name, provider, more = {}) => {
      const body = { name, provider, inputs: inputs(name), labels: { read: 'yes' }, ...more };
      const answer = await admin('POST', '/v1/clients', body);
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer;
    },
    patch: (name, body, query = '') => admin('PATCH', `/v1/clients/${name}${query}`, body, { 'if-match': '*' }),
    audit: async (target) => {
      const { items } = await get(`/v1/audit?target=${target}`);
      return items.map((row: { action: string; detail: object }) => [row.action, row.detail]);
    },
    marksOf: (name) =>
      issuer.received
        .filter(({ body }) => new URLSearchParams(body).get('client') === name)
        .map(({ headers }) => headers['x-mark']),
    sql: async (text) => void (await runSql(fleet.database.url, text)),
    close: async () => {
      await fleet.stop();
      await issuer.close();
    },
  };
}
