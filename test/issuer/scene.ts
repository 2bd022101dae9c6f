import { inspect } from 'node:util';
import { stringify } from 'yaml';
import {
  type ConnectionTest,
  createTokenRequester,
  type Failure,
  type IssuedToken,
  loadPresets,
  readDefinition,
  type ProviderDefinition,
  ProviderError,
  type ProviderErrorCode,
  systemClock,
  type TokenRequester,
} from '#providers';
import { Authority, type Subject } from './authority';
import { type AskedRequest, type ClientMetadata, type Issuer, type IssuerOptions, startIssuer } from './issuer';

export type Inputs = Record<string, string | undefined>;

const presets = loadPresets();

export interface SceneOptions extends Partial<IssuerOptions> {
  /** Of the issuer's own certificate. */
  subject?: Subject;
}

/** An issuer and a requester for the tests of one file. */
export class Scene {
  /** Vouches for the issuer, and for clients. */
  authority!: Authority;
  issuer!: Issuer;
  requester!: TokenRequester;
  #clients = 0;

  static forThisFile(options: SceneOptions = {}): Scene {
    const scene = new Scene();
    beforeAll(() => scene.#start(options));
    beforeEach(() => scene.issuer.asked());
    afterAll(async () => {
      await scene.requester.close();
      await scene.issuer.stop();
    });
    return scene;
  }

  async #start({ subject = { subject: 'CN=localhost', dns: ['localhost'] }, ...options }: SceneOptions): Promise<void> {
    this.authority = await Authority.create('Scene');
    const tls = await this.authority.issue(subject);
    this.issuer = await startIssuer({ tls, clientAuthority: this.authority.certificate, ...options });
    const allowedOrigins = [this.issuer.origin, this.issuer.mutualOrigin];
    this.requester = createTokenRequester({ clock: systemClock, allowedOrigins });
  }

  /** Makes a client known to the issuer and answers with its id. */
  async client({ client_id = `client-${++this.#clients}`, ...more }: Partial<ClientMetadata>): Promise<string> {
    await this.issuer.register({ client_id, ...more });
    return client_id;
  }

  /** As `requestToken`, of a preset or of a definition; the issuer's token URL and authority are inputs unless given. */
  token(of: string | ProviderDefinition, inputs: Inputs): Promise<IssuedToken> {
    return this.requester.requestToken(definitionOf(of), this.#given(inputs));
  }

  tryOut(of: string | ProviderDefinition, inputs: Inputs): Promise<ConnectionTest> {
    return this.requester.tryOut(definitionOf(of), this.#given(inputs));
  }

  #given(inputs: Inputs): Record<string, string> {
    const all = { token_url: this.issuer.tokenUrl, ca_certificate: this.authority.certificate, ...inputs };
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
  }

  /** Why there is no token, which tells no secret, and what the issuer saw of it. */
  async refusal(of: string | ProviderDefinition, inputs: Inputs): Promise<Refusal> {
    const error: unknown = await this.token(of, inputs).catch((caught: unknown) => caught);
    if (!(error instanceof ProviderError)) throw new Error('not a failure of the provider', { cause: error });
    const { code, failure } = error;
    const asked = await this.issuer.asked();
    expectNoSecret(inspect(error, { depth: Infinity, showHidden: true }), definitionOf(of), inputs, asked);
    return { code, ...failure, asked };
  }
}

export interface Refusal extends Failure {
  code: ProviderErrorCode;
  asked: AskedRequest[];
}

export function definitionOf(of: string | ProviderDefinition): ProviderDefinition {
  const definition = typeof of === 'string' ? presets.get(of)?.definition : of;
  if (!definition) throw new Error(`There is no preset ${String(of)}`);
  return definition;
}

/** A definition, changed where it does not let inputs change it. */
export function variant(of: string | ProviderDefinition, change: (definition: any) => void): ProviderDefinition {
  const copy = JSON.parse(JSON.stringify(definitionOf(of))) as object;
  change(copy);
  return readDefinition(stringify(copy)).definition;
}

/** Neither what was given in secret nor what was made of it for the wire. */
export function expectNoSecret(
  told: string,
  definition: ProviderDefinition,
  inputs: Inputs,
  asked: AskedRequest[],
): void {
  const secrets = Object.entries(inputs).filter(([name, value]) => definition.inputs[name]?.secret && value);
  // Of a PEM each line, of a JWK each of its numbers.
  const texts = secrets.flatMap(([, value]) => [value!, ...(value!.match(/[\w+/=-]{20,}/g) ?? [])]);
  const sent = asked.flatMap(({ credentials = [] }) => credentials);
  for (const text of [...texts, ...sent]) expect(told).not.toContain(text);
}
