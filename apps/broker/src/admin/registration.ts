import type { IssuedToken, TokenRequester } from '#providers';
import {
  AlreadyExists,
  type By,
  type ClientRecord,
  type Clients,
  type Definitions,
  type DefinitionVersion,
  type Inputs,
  type LoadedClients,
  VersionMismatch,
} from '#registry';
import { CannotOpen, Secret } from '#vault';
import type { TokenService } from '#tokens';
import type { Logger } from '../logger';
import { type FieldFault, invalid, Problem } from '../problem';
import type { CreateClientDto, UpdateClientDto } from './client.dto';
import { checkedInputs, exposed, hostsOf, reuseFaults } from './inputs';

/** How a client comes, changes and goes: first tried at the provider, then stored, then told to the token service. */
export class Registration {
  constructor(
    private readonly parts: {
      clients: Clients;
      loaded: LoadedClients;
      definitions: Definitions;
      tokens: TokenService;
      requestToken: TokenRequester['requestToken'];
      allowedOrigins: readonly string[];
      logger: Logger;
    },
  ) {}

  async register(
    { name, provider, provider_version, labels = {}, renewal = {}, inputs: given }: CreateClientDto,
    verify: boolean,
    by: By,
  ): Promise<ClientRecord> {
    const { clients, definitions } = this.parts;
    const inputs = this.#checked(await definitions.choose(provider, provider_version), given);
    // Asked before the provider is: a name that is taken must not cost it a call.
    if (await clients.exists(name)) throw new AlreadyExists('client', name);
    const issued = verify ? await this.#try(inputs) : undefined;
    const condition = issued ? 'fresh' : 'renewing';
    const client = await clients.register({ name, labels, renewal, condition }, inputs, by);
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
    const { clients, definitions } = this.parts;
    const { labels, renewal, provider_version: moveTo } = body;
    if (!body.inputs && !labels && !renewal && moveTo === undefined) {
      throw invalid('', 'there is nothing to change: name inputs, provider_version, labels or renewal');
    }
    if (before.version !== expectedVersion) throw new VersionMismatch(before.version);
    const inputs =
      body.inputs || moveTo !== undefined
        ? await this.#merged(
            before,
            await definitions.choose(before.provider, moveTo ?? before.providerVersion),
            body.inputs ?? {},
          )
        : undefined;
    const issued = inputs && verify && before.enabled ? await this.#try(inputs) : undefined;
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

  #checked(definition: DefinitionVersion, given: Record<string, unknown>): Inputs {
    return { definition, ...checkedInputs(definition.definition, given, this.parts.allowedOrigins) };
  }

  #try({ definition: { definition }, plain, secret }: Inputs): Promise<IssuedToken> {
    const { tokens, requestToken } = this.parts;
    const ask = () => requestToken(definition, { ...plain, ...secret });
    return tokens.tryOut(definition, hostsOf(definition, plain), ask);
  }

  /** The inputs there are with the changes; `null` takes one away. */
  async #merged(
    before: ClientRecord,
    definition: DefinitionVersion,
    changes: Record<string, unknown>,
  ): Promise<Inputs> {
    const stored = await this.#stored(before);
    const merged: Record<string, unknown> = { ...before.inputs, ...stored?.secrets, ...changes };
    const kept = Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null));
    const reused = Object.keys(stored?.secrets ?? {}).filter((name) => !Object.hasOwn(changes, name));
    refuse(exposed(definition.definition, reused));
    const inputs = this.#checked(definition, kept);
    if (!stored) return inputs;
    const after = { definition: definition.definition, plain: inputs.plain };
    refuse(reuseFaults({ definition: stored.definition, plain: before.inputs }, after, reused));
    return inputs;
  }

  /**
   * The secrets there are. Nothing where they, or the definition that they are sealed for, cannot be opened: then they
   * have to be given again, which mends the client.
   */
  async #stored({ id }: ClientRecord) {
    try {
      const loaded = await this.parts.loaded.load(id);
      if (!loaded) return undefined;
      const inputs = Object.entries(await loaded.inputs());
      const secrets = Object.fromEntries(inputs.filter(([, value]) => value instanceof Secret));
      return { definition: loaded.definition, secrets };
    } catch (error) {
      if (error instanceof CannotOpen) return undefined;
      throw error;
    }
  }

  /** Takes the token that the trial brought, or has one fetched; unless the client was changed again meanwhile. */
  async #renew({ id, secretVersion, ...client }: ClientRecord, issued: IssuedToken | undefined): Promise<void> {
    await this.#tell(client, async () => {
      const loaded = await this.parts.loaded.load(id);
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

function refuse(errors: FieldFault[]): void {
  if (errors.length === 0) return;
  throw new Problem('secrets_required', 'Stored secrets would get to where they were not given for.', { errors });
}
