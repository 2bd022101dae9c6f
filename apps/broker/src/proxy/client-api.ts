import { type Api, apiOf, ProviderError } from '#providers';
import { type RenewableClient, type ServableToken, type TokenService, TokenUnavailable } from '#tokens';
import { CannotOpen } from '#vault';
import { Problem } from '../problem';

/** Where a client's token may be sent. */
export interface ClientApi {
  api: Api;
  provider: string;
}

/** Works out where a token may be sent: once for each token, since the client's inputs have to be opened for that. */
export class ClientApis {
  readonly #known = new WeakMap<ServableToken, Promise<ClientApi>>();

  constructor(
    private readonly tokens: Pick<TokenService, 'client'>,
    private readonly options: { allowedOrigins: readonly string[] },
  ) {}

  /** @throws Problem, TokenUnavailable */
  of(token: ServableToken): Promise<ClientApi> {
    const known = this.#known.get(token);
    if (known) return known;
    const found = this.#find(token);
    this.#known.set(token, found);
    found.catch(() => this.#known.delete(token));
    return found;
  }

  async #find(token: ServableToken): Promise<ClientApi> {
    const client = await this.#client(token.clientId);
    // What the token was got with may have belonged elsewhere.
    if (client.secretVersion !== token.secretVersion)
      throw new TokenUnavailable('renewing', 'the client was changed, and its next token is being fetched', 1);
    const inputs = await client.inputs().catch(unavailable);
    const api = this.#apiOf(client, inputs, token);
    if (api) return { api, provider: client.provider };
    throw new Problem(
      'api_unknown',
      `The definition of "${client.provider}" does not say where the API of this client is.`,
    );
  }

  async #client(clientId: string): Promise<RenewableClient> {
    const client = await this.tokens.client(clientId).catch(unavailable);
    if (!client) throw new Problem('not_found', 'The client was deleted meanwhile.');
    return client;
  }

  #apiOf(
    { definition }: RenewableClient,
    inputs: Awaited<ReturnType<RenewableClient['inputs']>>,
    token: ServableToken,
  ): Api | undefined {
    try {
      return apiOf(definition, inputs, token.outputs ?? {}, this.options);
    } catch (error) {
      if (!(error instanceof ProviderError)) throw error;
      const { message, hint } = error.failure;
      throw new Problem('api_unknown', `The API of this client cannot be called: ${message}.`, {
        ...(hint && { hint }),
      });
    }
  }
}

/** As services are told it elsewhere: there is nothing for them to do but to come again. */
function unavailable(error: unknown): never {
  const { code = 'client_not_loaded' } = error as { code?: string };
  const message = error instanceof CannotOpen ? error.message : 'the client could not be read from the database';
  throw new TokenUnavailable(code, message, 5, undefined, { cause: error });
}
