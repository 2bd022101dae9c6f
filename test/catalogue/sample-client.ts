import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { Entry } from './facts';

const keys = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
};

/** Awkward in a form, in JSON, in a URL, in Basic, in a quoted text, and to whoever would read templates in values. */
const awkward = '+/%&=?#<>;, "\\\'{{ now }}${x}';

/**
 * What an admin would give for a client of an entry: for each field of the facts, by its name in whatever spelling.
 * A sparse client gives nothing that may be missing.
 */
export class SampleClient {
  readonly #hosts = new Map<string, string>();
  readonly #narrow: ReadonlySet<string>;
  readonly #missing: ReadonlySet<string>;
  readonly #alg: 'RS256' | 'ES256';
  readonly #keyHasParts: boolean;

  constructor(
    private readonly entry: Entry,
    sparse = false,
  ) {
    const { token_request: request, presentation } = entry;
    const { headers, additional_steps, client_auth, local_mint, signed_jwt } = request;
    this.#alg = (local_mint ?? signed_jwt)?.alg === 'ES256' ? 'ES256' : 'RS256';
    this.#keyHasParts = JSON.stringify(local_mint ?? {}).includes('privateKey.secret');
    for (const url of (request.url ?? '').split(' || ')) this.#readHost(/^https:\/\/[^/]*/.exec(url)?.[0] ?? '');
    const basic = client_auth === 'http_basic' ? ['clientid', 'clientsecret'] : [];
    this.#narrow = new Set([...refsOf([headers, additional_steps, presentation]), ...basic]);
    const alternatives = [request.url, ...Object.values(request.extra_params ?? {})];
    const first = alternatives.flatMap((text) => text?.match(/^(.*) \|\| /)?.[1] ?? []);
    this.#missing = new Set(
      sparse ? [...refsOf(first), 'oauthscopes', ...(this.#isScope('scope') ? ['scope'] : [])] : [],
    );
  }

  get publicKey(): KeyObject {
    return keys[this.#alg].publicKey;
  }

  has(field: string): boolean {
    return !this.#missing.has(plain(field));
  }

  value(field: string): string {
    const name = plain(field);
    if (name === 'tokenurl') return 'login.acme.example/oauth2/token';
    if (name === 'privatekey' && this.#keyHasParts) return `64f1a2b3c4d5:${'0f'.repeat(32)}`;
    if (name.endsWith('privatekey'))
      return keys[this.#alg].privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
    if (this.#isScope(name)) return ['read:x', 'write:y'].join(this.entry.token_request.scope?.separator ?? ' ');
    // Headers are ASCII, and the user of Basic ends at the first colon.
    return this.#hosts.get(name) ?? `canary-${name}${this.#narrow.has(name) ? '' : ':ü€😀'}${awkward}`;
  }

  #isScope(name: string): boolean {
    return name === 'oauthscopes' || (name === 'scope' && !refsOf(this.entry.token_request).includes('scope'));
  }

  /** A whole host, the end of one, or a label of it. */
  #readHost(host: string): void {
    for (const name of refsOf(host)) this.#hosts.set(name, `acme-${name}`);
    const [last] = refsOf(/\$\{[^}]+\}$/.exec(host)?.[0] ?? '');
    if (last !== undefined) this.#hosts.set(last, `${last}.acme.example`);
  }
}

/** `credentials.clientId`, `clientId` and `client_id` are one field. */
function plain(field: string): string {
  return field
    .replace(/^\w+\./, '')
    .toLowerCase()
    .replaceAll('_', '');
}

function refsOf(facts: unknown): string[] {
  return [...(JSON.stringify(facts) ?? '').matchAll(/\$\{([\w.]+)\}/g)].map(([, ref]) => plain(ref!));
}
