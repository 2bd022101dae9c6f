import type { Transport } from '../http/transport';
import { pathSegment } from '../path';
import { ifMatch } from './clients';
import { Pages } from './pages';
import type {
  ConnectionTestBody,
  ConnectionTestView,
  DefinitionBody,
  DefinitionView,
  ProviderView,
  ValidationView,
  VersionView,
} from './wire';

/** `/v1/providers` */
export class ProviderAdmin {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list(of: { limit?: number } = {}): Pages<ProviderView> {
    return new Pages(this.#transport, { path: '/v1/providers', query: { ...of } });
  }

  async create(definition: DefinitionBody): Promise<DefinitionView> {
    const { body } = await this.#transport.call({ method: 'POST', path: '/v1/providers', body: definition });
    return body as DefinitionView;
  }

  /** What is wrong with a definition. Stores nothing. */
  async validate(definition: DefinitionBody): Promise<ValidationView> {
    const call = { method: 'POST', path: '/v1/providers/validations', body: definition, repeatable: true } as const;
    return (await this.#transport.call(call)).body as ValidationView;
  }

  async get(id: string, of: { version?: number } = {}): Promise<DefinitionView> {
    return (await this.#transport.call({ path: pathOf(id), query: { ...of } })).body as DefinitionView;
  }

  /** The newest first. */
  versions(id: string, of: { limit?: number } = {}): Pages<VersionView> {
    return new Pages(this.#transport, { path: `${pathOf(id)}/versions`, query: { ...of } });
  }

  /**
   * Makes the next version.
   * @throws VersionMismatch
   */
  async change(
    id: string,
    definition: DefinitionBody,
    { version }: { version: number | '*' },
  ): Promise<DefinitionView> {
    const headers = { 'if-match': ifMatch(version) };
    const { body } = await this.#transport.call({ method: 'PUT', path: pathOf(id), headers, body: definition });
    return body as DefinitionView;
  }

  async delete(id: string): Promise<void> {
    await this.#transport.call({ method: 'DELETE', path: pathOf(id) });
  }

  /** Tries to get a token with these inputs, and stores nothing. It is no error when that fails: see `ok`. */
  async testConnection(test: ConnectionTestBody): Promise<ConnectionTestView> {
    const { body } = await this.#transport.call({ method: 'POST', path: '/v1/connection-tests', body: test });
    return body as ConnectionTestView;
  }
}

function pathOf(id: string): string {
  return `/v1/providers/${pathSegment(id)}`;
}
