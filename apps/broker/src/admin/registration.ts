import { checkInputs, type IssuedToken, type ProviderDefinition, tokenHosts, type TokenRequester } from '#providers';
import { AlreadyExists, type By, type ClientRecord, type Clients, type Inputs, VersionMismatch } from '#registry';
import { CannotOpen, type Secret } from '#vault';
import type { TokenService } from '#tokens';
import type { Logger } from '../logger';
import { invalid, Problem } from '../problem';
import type { CreateClientDto, UpdateClientDto } from './client.dto';

/** How a client comes, changes and goes: first tried at the provider, then stored, then told to the token service. */
export class Registration {
  constructor(
    private readonly parts: {
      clients: Clients;
      tokens: TokenService;
      requestToken: TokenRequester['requestToken'];
      allowedOrigins: readonly string[];
      logger: Logger;
    },
  ) {}

  async register(
    { name, provider, labels = {}, renewal = {}, inputs: given }: CreateClientDto,
    verify: boolean,
    by: By,
  ): Promise<ClientRecord> {
    const { clients, requestToken } = this.parts;
    const definition = clients.definition(provider);
    const inputs = this.#checked(definition, given);
    // Asked before the provider is: a name that is taken must not cost it a call.
    if (await clients.exists(name)) throw new AlreadyExists('client', name);
    const issued = verify ? await requestToken(definition, { ...inputs.plain, ...inputs.secret }) : undefined;
    const condition = issued ? 'fresh' : 'renewing';
    const client = await clients.register({ name, provider, labels, renewal, condition }, inputs, by);
    await this.#renew(client, issued);
    return client;
  }

  async change(
    before: ClientRecord,
    expectedVersion: number,
    body: UpdateClientDto,
    verify: boolean,
    by: By,
  ): Promise<ClientRecord> {
    const { clients, requestToken } = this.parts;
    const { labels, renewal } = body;
    if (!body.inputs && !labels && !renewal) {
      throw invalid('', 'there is nothing to change: name inputs, labels or renewal');
    }
    if (before.version !== expectedVersion) throw new VersionMismatch(before.version);
    const definition = clients.definition(before.provider);
    const inputs = body.inputs && (await this.#merged(before, definition, body.inputs));
    const issued =
      inputs && verify && before.enabled
        ? await requestToken(definition, { ...inputs.plain, ...inputs.secret })
        : undefined;
    const changes = { ...(labels && { labels }), ...(renewal && { renewal }), ...(inputs && { inputs }) };
    const client = await clients.update(before.name, expectedVersion, changes, by);
    if ((inputs || renewal) && client.enabled) await this.#renew(client, issued);
    return client;
  }

  async setEnabled(name: string, enabled: boolean, by: By): Promise<ClientRecord> {
    const { changed, ...client } = await this.parts.clients.setEnabled(name, enabled, by);
    // Enabling what is enabled is no way to renew; disabling again is a way to have the token forgotten after all.
    if (!enabled) await this.#tell(client, () => this.parts.tokens.purge(client.id));
    else if (changed) await this.#renew(client, undefined);
    return client;
  }

  async delete(name: string, by: By): Promise<void> {
    const client = await this.parts.clients.delete(name, by);
    await this.#tell(client, () => this.parts.tokens.purge(client.id));
  }

  #checked(definition: ProviderDefinition, given: Record<string, unknown>): Inputs {
    const { faults, plain, secret } = checkInputs(definition, given, { allowedOrigins: this.parts.allowedOrigins });
    if (faults.length > 0) {
      throw new Problem('invalid_inputs', `The inputs have ${faults.length} fault(s).`, { errors: faults });
    }
    return { plain, secret };
  }

  /** The inputs there are with the changes; `null` takes one away. */
  async #merged(
    before: ClientRecord,
    definition: ProviderDefinition,
    changes: Record<string, unknown>,
  ): Promise<Inputs> {
    const merged: Record<string, unknown> = { ...before.inputs, ...(await this.#stored(before.id)), ...changes };
    const kept = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
    const inputs = this.#checked(definition, kept);
    const moved = tokenHosts(definition, inputs.plain) !== tokenHosts(definition, before.inputs);
    const reused = Object.keys(inputs.secret).filter((name) => !(name in changes));
    if (moved && reused.length > 0) {
      const errors = reused.map((name) => ({
        pointer: `/inputs/${name}`,
        detail: 'must be given again, since the host changes',
      }));
      throw new Problem('secrets_required', 'The host of the token URL changes.', { errors });
    }
    return inputs;
  }

  /** Nothing where the stored secrets cannot be opened: then they have to be given again, which mends the client. */
  async #stored(id: string): Promise<Record<string, string | Secret>> {
    const loaded = await this.parts.clients.load(id);
    return (
      (await loaded?.inputs().catch((error: unknown) => {
        if (error instanceof CannotOpen) return undefined;
        throw error;
      })) ?? {}
    );
  }

  /** Takes the token that the trial brought, or has one fetched; unless the client was changed again meanwhile. */
  async #renew({ id, secretVersion, ...client }: ClientRecord, issued: IssuedToken | undefined): Promise<void> {
    await this.#tell(client, async () => {
      const loaded = await this.parts.clients.load(id);
      if (!loaded?.enabled || loaded.secretVersion !== secretVersion) return;
      if (issued) await this.parts.tokens.admit(loaded, issued);
      else await this.parts.tokens.change(id, secretVersion);
    });
  }

  /**
   * The change is made. A token store that does not answer now hears of it when the queue is reconciled, or when the
   * client's renewal is due and finds it disabled or gone; until then its token is in the store, and served to nobody.
   */
  async #tell({ name }: { name: string }, tell: () => Promise<void>): Promise<void> {
    await tell().catch((error: unknown) => {
      this.parts.logger.warn(
        { err: error, client: name },
        'the token store could not be told of a change, and will find out by itself',
      );
    });
  }
}
