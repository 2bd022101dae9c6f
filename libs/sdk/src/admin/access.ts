import type { Transport } from '../http/transport';
import { pathSegment } from '../path';
import { type IssuedKey, issuedKey } from './issued-key';
import { Pages } from './pages';
import type { AdminKeyView, GrantView, KeyView, Role, ServiceView } from './wire';

interface Expiry {
  /** Absent: it does not expire. */
  expiresAt?: Date;
}

const expiry = ({ expiresAt }: Expiry): object => (expiresAt ? { expires_at: expiresAt.toISOString() } : {});

/** `/v1/services` and their keys. */
export class ServiceAdmin {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(name: string): Promise<ServiceView> {
    return (await this.#transport.call({ method: 'POST', path: '/v1/services', body: { name } })).body as ServiceView;
  }

  list(of: { limit?: number } = {}): Pages<ServiceView> {
    return new Pages(this.#transport, { path: '/v1/services', query: { ...of } });
  }

  async get(name: string): Promise<ServiceView> {
    return (await this.#transport.call({ path: pathOf(name) })).body as ServiceView;
  }

  /** With its keys and grants. */
  async delete(name: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: pathOf(name) });
  }

  async issueKey(name: string, of: Expiry = {}): Promise<IssuedKey<KeyView>> {
    const call = { method: 'POST', path: `${pathOf(name)}/keys`, body: expiry(of) } as const;
    return issuedKey((await this.#transport.call(call)).body);
  }

  async keys(name: string): Promise<KeyView[]> {
    return ((await this.#transport.call({ path: `${pathOf(name)}/keys` })).body as { items: KeyView[] }).items;
  }

  async revokeKey(name: string, id: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: `${pathOf(name)}/keys/${pathSegment(id)}` });
  }
}

/** `/v1/grants`: which service may fetch which tokens. */
export class GrantAdmin {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** One client, or every client that carries the label, now and later. */
  async create(grant: { service: string } & ({ client: string } | { label: string })): Promise<GrantView> {
    return (await this.#transport.call({ method: 'POST', path: '/v1/grants', body: grant })).body as GrantView;
  }

  list(filter: { service?: string; client?: string; limit?: number } = {}): Pages<GrantView> {
    return new Pages(this.#transport, { path: '/v1/grants', query: { ...filter } });
  }

  async delete(id: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: `/v1/grants/${pathSegment(id)}` });
  }
}

/** `/v1/admin-keys` */
export class AdminKeyAdmin {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async issue({ name, role, ...of }: { name: string; role: Role } & Expiry): Promise<IssuedKey<AdminKeyView>> {
    const call = { method: 'POST', path: '/v1/admin-keys', body: { name, role, ...expiry(of) } } as const;
    return issuedKey((await this.#transport.call(call)).body);
  }

  async list(): Promise<AdminKeyView[]> {
    return ((await this.#transport.call({ path: '/v1/admin-keys' })).body as { items: AdminKeyView[] }).items;
  }

  async revoke(id: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: `/v1/admin-keys/${pathSegment(id)}` });
  }
}

function pathOf(name: string): string {
  return `/v1/services/${pathSegment(name)}`;
}
