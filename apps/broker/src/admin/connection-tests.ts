import { type ConnectionTest, readDefinition, type TokenRequester } from '#providers';
import type { Audit, By, Definitions, DefinitionVersion } from '#registry';
import type { TokenService } from '#tokens';
import { invalid } from '../problem';
import { checkedInputs, hostsOf } from './inputs';
import { isObject, membersOf, sourceIn } from './provider.body';
import { isVersion } from './version';

type Tried = Pick<DefinitionVersion, 'provider' | 'definition'> & { version?: number };

/** Tries a definition with inputs at its provider. Nothing is stored but that it was done. */
export class ConnectionTests {
  constructor(
    private readonly parts: {
      definitions: Definitions;
      tokens: TokenService;
      tryOut: TokenRequester['tryOut'];
      audit: Audit;
      allowedOrigins: readonly string[];
    },
  ) {}

  /**
   * @param body `{provider, provider_version?, inputs}`, or `{definition | source, inputs}`
   * @throws Problem, InvalidDefinition, UnknownProvider where there is nothing to be tried; Throttled where the provider's
   *   quota is used up
   */
  async run(body: unknown, by: By): Promise<ConnectionTest> {
    const { tokens, tryOut, audit, allowedOrigins } = this.parts;
    const { inputs: given, ...what } = membersOf(body, known);
    const { provider, version, definition } = await this.#chosen(what);
    const { plain, secret } = checkedInputs(definition, inputsIn(given), allowedOrigins);
    const hosts = hostsOf(definition, plain);
    const detail = { ...(version === undefined ? { stored: false } : { provider_version: version }), hosts };
    return tokens.tryOut(definition, hosts, async () => {
      // Before anything is sent: while the audit cannot be written, nobody is asked.
      await audit.note(by, 'connection.tested', `provider:${provider}`, detail);
      return tryOut(definition, { ...plain, ...secret });
    });
  }

  async #chosen({ provider, provider_version: version, ...text }: Record<string, unknown>): Promise<Tried> {
    if (provider === undefined) {
      if (version !== undefined) throw invalid('/provider_version', 'provider_version goes with "provider"');
      const { definition } = readDefinition(sourceIn(text));
      return { provider: definition.id, definition };
    }
    if (text['source'] !== undefined || text['definition'] !== undefined) {
      throw invalid('', 'name either a "provider" or a definition');
    }
    if (typeof provider !== 'string' || !/^[^\0]{1,63}$/.test(provider)) {
      throw invalid('/provider', 'provider must be a string of 1 to 63 characters, without NUL');
    }
    if (version !== undefined && !isVersion(version)) {
      throw invalid('/provider_version', 'provider_version must be a whole number');
    }
    return this.parts.definitions.choose(provider, version);
  }
}

const known = ['provider', 'provider_version', 'source', 'definition', 'inputs'];

function inputsIn(given: unknown): Record<string, unknown> {
  if (isObject(given)) return given;
  throw invalid('/inputs', 'inputs must be an object');
}
