import type { Transport } from '../http/transport';
import { pathSegment } from '../path';
import { Pages } from './pages';
import type { AttemptView, ClientChanges, ClientView, Condition, NewClient, RequestedRenewalView } from './wire';

export interface ClientFilter {
  status?: Condition;
  provider?: string;
  /** `key=value`. */
  label?: string;
  /** Part of the name. */
  q?: string;
  /** Of a page. */
  limit?: number;
}

/** `false`: stored without a trial at the provider. */
interface Verify {
  verify?: boolean;
}

/** `/v1/clients` */
export class ClientAdmin {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async create(client: NewClient, { verify }: Verify = {}): Promise<ClientView> {
    const call = { method: 'POST', path: '/v1/clients', query: verifying(verify), body: client } as const;
    return (await this.#transport.call(call)).body as ClientView;
  }

  list(filter: ClientFilter = {}): Pages<ClientView> {
    return new Pages(this.#transport, { path: '/v1/clients', query: { ...filter } });
  }

  async get(name: string): Promise<ClientView> {
    return (await this.#transport.call({ path: pathOf(name) })).body as ClientView;
  }

  /**
   * @param of.version the one that was read, so that no change of somebody else is lost; `*` for whichever there is
   * @throws VersionMismatch
   */
  async update(
    name: string,
    changes: ClientChanges,
    { version, verify }: { version: number | '*' } & Verify,
  ): Promise<ClientView> {
    const headers = { 'if-match': ifMatch(version) };
    const call = { method: 'PATCH', path: pathOf(name), query: verifying(verify), headers, body: changes } as const;
    return (await this.#transport.call(call)).body as ClientView;
  }

  async delete(name: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: pathOf(name) });
  }

  async enable(name: string): Promise<ClientView> {
    return (await this.#transport.call({ method: 'POST', path: `${pathOf(name)}/enable` })).body as ClientView;
  }

  async disable(name: string): Promise<ClientView> {
    return (await this.#transport.call({ method: 'POST', path: `${pathOf(name)}/disable` })).body as ClientView;
  }

  /** The last 50 attempts to renew, the newest first. */
  async renewals(name: string): Promise<AttemptView[]> {
    const { body } = await this.#transport.call({ path: `${pathOf(name)}/renewals` });
    return (body as { items: AttemptView[] }).items;
  }

  async renew(name: string): Promise<RequestedRenewalView> {
    const { body } = await this.#transport.call({ method: 'POST', path: `${pathOf(name)}/renewals` });
    return body as RequestedRenewalView;
  }
}

export function ifMatch(version: number | '*'): string {
  return version === '*' ? '*' : `"v${version}"`;
}

function pathOf(name: string): string {
  return `/v1/clients/${pathSegment(name)}`;
}

function verifying(verify: boolean | undefined): Record<string, string> {
  return verify === undefined ? {} : { verify: String(verify) };
}
