import { tokenHosts } from '#providers';
import { Secret, type Vault } from '#vault';
import type { DefinitionVersion } from './definitions';

/** A client's inputs, as they fit the definition. */
export interface Inputs {
  definition: DefinitionVersion;
  plain: Record<string, string>;
  secret: Record<string, Secret>;
}

/** Of them, what need not be sealed. */
export type OpenInputs = Omit<Inputs, 'secret'>;

/** The row that secrets stand in, and stand in alone. */
interface Place {
  clientId: string;
  secretVersion: number;
}

export async function sealInputs(vault: Vault, place: Place, { secret, ...inputs }: Inputs): Promise<string> {
  const revealed = Object.entries(secret).map(([name, value]) => [name, value.reveal()]);
  const sealed = new Secret(JSON.stringify(Object.fromEntries(revealed)));
  return vault.seal(sealed, { ...place, ...boundTo(inputs) });
}

/**
 * The inputs of a client that is kept in memory. What stands in the database is opened once; from then on its secrets are
 * kept in the seal of tokens, which takes a thirtieth of the time, and none of the thread pool's.
 */
export class InputsInMemory {
  #secrets: string | Buffer;

  constructor(
    private readonly vault: Vault,
    private readonly place: Place,
    private readonly inputs: OpenInputs,
    sealed: string,
  ) {
    this.#secrets = sealed;
  }

  /** @throws CannotOpen */
  async open(): Promise<Record<string, string | Secret>> {
    const binding = `inputs:${this.place.clientId}:${this.place.secretVersion}`;
    if (typeof this.#secrets !== 'string') {
      return revealedIn(this.vault.openToken(this.#secrets, binding), this.inputs.plain);
    }
    const opened = await this.vault.open(this.#secrets, { ...this.place, ...boundTo(this.inputs) });
    const secrets = this.vault.sealToken(opened, binding);
    // Not a part of Node's pool: what is kept for so long would keep the 8 KB around it.
    this.#secrets = Buffer.alloc(secrets.length, secrets);
    return revealedIn(opened, this.inputs.plain);
  }
}

function revealedIn(opened: Secret, plain: Record<string, string>): Record<string, string | Secret> {
  const secrets = JSON.parse(opened.reveal()) as Record<string, string>;
  const secret = Object.entries(secrets).map(([name, value]) => [name, new Secret(value)]);
  return { ...plain, ...Object.fromEntries(secret) };
}

/**
 * What secrets are sealed for besides their row: the hosts that they go to, and the provider with the text of its
 * definition. Whoever changes in PostgreSQL which version a client goes by, or what that version says, opens nothing.
 * The first version of a preset stands without its text, as replicas seal that know of no versions.
 */
function boundTo({ definition: { definition, provider, preset, version, digest }, plain }: OpenInputs) {
  const text = preset && version === 1 ? '' : `@${digest}`;
  return { provider: provider + text, tokenHost: tokenHosts(definition, plain) };
}
