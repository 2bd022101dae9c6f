import { Translation } from './express-text';
import { type Part, inexpressible, parts } from './express-parts';
import type { Entry, ExpiryFacts, SignedJwt, TokenRequestFacts } from './facts';

/** A definition as it stands in YAML. */
export interface Definition {
  id: string;
  title: string;
  docs: string;
  inputs: Record<string, InputSpec>;
  values?: Record<string, string>;
  assertions?: Record<string, Record<string, unknown>>;
  steps: Step[];
  token: { value: string; expiry: Record<string, unknown>[]; outputs?: Record<string, string> };
  present: { headers: Record<string, string> };
}

interface InputSpec {
  title: string;
  secret?: true;
  optional?: true;
  default?: string;
  format?: 'host' | 'url' | 'private_key';
}

export interface Step {
  id: string;
  method: string;
  url: string;
  hosts?: string[];
  query?: Record<string, unknown>;
  secrets_in_url?: true;
  headers?: Record<string, string>;
  basic?: { user: string; pass: string };
  body?: { form: Record<string, unknown> } | { json: Record<string, unknown> };
  response?: 'text';
}

const secrets = new Set([
  ...[
    'api_key',
    'api_secret',
    'api_secret_id',
    'api_secret_key',
    'app_key',
    'app_secret',
    'assertion',
    'client_private_key',
  ],
  ...['client_secret', 'consumer_secret', 'consumer_token', 'default_password', 'dev_key', 'dpp_key'],
  ...['employee_token', 'hmac_token', 'jwt', 'password', 'private_key', 'refresh_token', 'secret', 'session_id'],
  'user_api_token',
]);

/** How long a token is taken to live where the issuer does not say: what the catalogue's own source assumes. */
export const assumedLifeSeconds = 3300;

const wholeBody = '(whole response body)';
const mintedLocally = '(minted locally)';

/** `connectionConfig.clientId` is the input `client_id`. */
export function inputName(ref: string): string {
  const field = ref.slice(ref.indexOf('.') + 1);
  return field.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
}

/**
 * Writes an entry of the catalogue in the definition language, or says why that cannot be done. How some of them renew
 * a token with what came beside it is left out: each renewal is a first login, with what the client gave.
 */
export function express(entry: Entry): Definition | { reason: string } {
  const reason = inexpressible[entry.name];
  return reason === undefined ? new Expression(entry, parts[entry.name] ?? {}).definition() : { reason };
}

class Expression {
  readonly #inputs: Record<string, InputSpec> = {};
  readonly #values: Record<string, string> = {};
  readonly #request: TokenRequestFacts;
  readonly #text = new Translation((ref) => this.#name(ref));

  constructor(
    private readonly entry: Entry,
    private readonly part: Part,
  ) {
    this.#request = entry.token_request;
  }

  definition(): Definition {
    const { entry } = this;
    const jwt = this.#request.local_mint ?? this.#request.signed_jwt ?? this.part.assertion;
    const assertion = jwt && this.#assertion(jwt);
    const steps = this.#request.local_mint ? [] : this.#steps();
    const token = this.#token(steps);
    const headers = this.#presented();
    const definition: Definition = {
      id: entry.name,
      title: entry.display_name,
      docs: entry.docs_url,
      inputs: this.#inputs,
      ...(Object.keys(this.#values).length > 0 && { values: this.#values }),
      ...(assertion && { assertions: { client: assertion } }),
      steps,
      token,
      present: { headers },
    };
    for (const [name, change] of Object.entries(this.part.inputs ?? {})) Object.assign(this.#inputs[name]!, change);
    return definition;
  }

  #name(ref: string): string {
    const known = this.part.names?.[ref];
    if (known !== undefined) return known.replace(/\binputs\.(\w+)/g, (_, name: string) => this.#input(name));
    if (ref === 'accessToken' || ref === 'credentials.token') return 'token';
    const signed = this.#request.signed_jwt && (ref === 'token' || ref === 'credentials.assertion');
    if (signed) return 'assertions.client';
    const [, step, path] = /^(step\d)\.(.+)$/.exec(ref) ?? [];
    return step === undefined ? this.#input(inputName(ref)) : `steps.${step}.body.${path}`;
  }

  #input(name: string): string {
    this.#inputs[name] ??= { title: name.replaceAll('_', ' '), ...(secrets.has(name) && { secret: true }) };
    return `inputs.${name}`;
  }

  #assertion({ alg, header, claims, lifetime_s: ttl_s, signing_key }: SignedJwt): Record<string, unknown> {
    const { alg: _, ...others } = header;
    const key = this.#text.text(signing_key ?? '${private_key}');
    const [, name] = /^\{\{ inputs\.(\w+) \}\}$/.exec(key) ?? [];
    if (name !== undefined) this.#inputs[name]!.format = 'private_key';
    const encoding = this.part.keyEncoding && { key_encoding: this.part.keyEncoding };
    return { alg, key, ...encoding, header: this.#text.deep(others), claims: this.#text.deep(claims), ttl_s };
  }

  #steps(): Step[] {
    const { additional_steps: more = [] } = this.#request;
    const first = this.#firstStep();
    const host = new URL(this.#request.url?.replaceAll(/\$\{[^}]*\}/g, 'x') ?? 'https://x').host;
    const others = more.map(({ token_url, token_params, token_headers, body_format }, index): Step => ({
      id: `step${index + 2}`,
      method: 'POST',
      url: this.#text.text(token_url),
      // An earlier answer may name a host, of the vendor whose host gave it.
      ...(token_url.startsWith('${step') && { hosts: [host.replace(/^[^.]+/, '*')] }),
      ...this.#headers(token_headers),
      body: this.#body(body_format, this.#text.deep(token_params)),
    }));
    return [first, ...others];
  }

  #firstStep(): Step {
    const { method, content_type: type, headers, url } = this.#request;
    const [base = '', search] = (this.part.url ?? url!).split('?');
    const fields = this.#fields();
    const query = { ...this.#search(search), ...(type === 'query' && fields) };
    const step: Step = {
      id: 'step1',
      method: method!,
      url: this.#url(base),
      ...(Object.keys(query).length > 0 && { query }),
      ...this.#headers(headers),
      ...(this.entry.auth_mode === 'OAUTH2_CC' && this.#request.client_auth === 'http_basic' && this.#basic()),
      ...((type === 'form' || type === 'json') && { body: this.#body(type, fields) }),
      ...(this.entry.token_response.token_path === wholeBody && { response: 'text' as const }),
    };
    const inUrl = JSON.stringify([step.url, step.query]).matchAll(/inputs\.(\w+)/g);
    if ([...inUrl].some(([, name]) => secrets.has(name!))) step.secrets_in_url = true;
    return step;
  }

  /** `A || B` is A, and B where A is not given. What differs is the first variable of A, all of its host. */
  #url(source: string): string {
    const [wanted, otherwise] = source.split(' || ');
    const [, start = '', variable = '', end = ''] = /^([^$]*)\$\{([^}]+)\}(.*)$/.exec(wanted!) ?? [];
    const fallback = otherwise?.slice(start.length, otherwise.length - end.length);
    const url =
      fallback === undefined ? this.#text.text(source) : `${start}{{ ${this.#withDefault(variable, fallback)} }}${end}`;
    const [, host] = /^https:\/\/\{\{ inputs\.(\w+)[^}]*\}\}\//.exec(url) ?? [];
    if (host !== undefined) this.#inputs[host]!.format = 'host';
    return url;
  }

  /** A default that is made of an input itself stands in `values`: an argument of a filter is a name, not a chain. */
  #withDefault(variable: string, fallback: string): string {
    const name = this.#input(inputName(variable));
    const spec = this.#inputs[inputName(variable)]!;
    if (!fallback.includes('${')) {
      spec.default = fallback;
      return name;
    }
    this.#values['default_host'] = `{{ ${this.#text.expression(fallback)} }}`;
    spec.optional = true;
    for (const [, ref] of fallback.matchAll(/\$\{([^}]+)\}/g)) this.#inputs[inputName(ref!)]!.optional = true;
    return `${name} | default: values.default_host`;
  }

  #search(search: string | undefined): Record<string, string> {
    const pairs = (search?.split('&') ?? []).map((pair) => pair.split('='));
    return Object.fromEntries(pairs.map(([name, value]) => [name!, this.#text.text(value!)]));
  }

  /** Who asks, and for what: in the body, or in the query. */
  #fields(): Record<string, unknown> {
    const { body, client_auth: auth, grant_type, extra_params = {}, scope } = this.#request;
    if (this.entry.auth_mode !== 'OAUTH2_CC') return this.#text.deep({ ...body });
    const inBody = auth?.startsWith('body fields') ?? false;
    const [id, secret] =
      auth === 'body fields username/password' ? ['username', 'password'] : ['client_id', 'client_secret'];
    return {
      ...(grant_type && { grant_type }),
      ...(inBody && this.#text.deep({ [id]: '${client_id}', [secret]: '${client_secret}' })),
      ...(this.part.fields && this.#text.deep(this.part.fields)),
      ...Object.fromEntries(Object.entries(extra_params).map(([name, text]) => [name, this.#orDefault(text)])),
      ...(scope && !('scope' in extra_params) && { scope: this.#scope(scope) }),
    };
  }

  #orDefault(source: string): string {
    const [wanted, fallback] = source.split(' || ');
    return fallback === undefined
      ? this.#text.text(source)
      : `{{ ${this.#withDefault(wanted!.slice('${'.length, -1), fallback)} }}`;
  }

  #scope({ separator, default: scopes }: NonNullable<TokenRequestFacts['scope']>): string {
    const name = this.#input(this.part.scope ?? 'scope');
    const spec = this.#inputs[name.slice('inputs.'.length)]!;
    if (scopes) spec.default = scopes.join(separator ?? ' ');
    else spec.optional = true;
    return `{{ ${name} }}`;
  }

  #basic(): Pick<Step, 'basic'> {
    return { basic: { user: this.#text.text('${client_id}'), pass: this.#text.text('${client_secret}') } };
  }

  /** The body says its own type; Basic has a field of its own. */
  #headers(facts: TokenRequestFacts['headers']): Pick<Step, 'headers' | 'basic'> {
    const entries = Object.entries(facts ?? {}).filter(([name]) => name.toLowerCase() !== 'content-type');
    const basic = facts?.['authorization']?.match(/^Basic \$\{base64\((\$\{[^}]+\}):(\$\{[^}]+\})\)\}$/);
    const others = basic ? entries.filter(([name]) => name !== 'authorization') : entries;
    return {
      ...(others.length > 0 && { headers: this.#text.deep(Object.fromEntries(others)) }),
      ...(basic && { basic: { user: this.#text.text(basic[1]!), pass: this.#text.text(basic[2]!) } }),
    };
  }

  #body(type: 'form' | 'json', fields: Record<string, unknown>): NonNullable<Step['body']> {
    return type === 'form' ? { form: fields } : { json: fields };
  }

  #token(steps: readonly Step[]): Definition['token'] {
    const { token_path: path, expiry, also_returns: others } = this.entry.token_response;
    const last = `steps.step${steps.length}`;
    const value =
      path === mintedLocally ? 'assertions.client' : path === wholeBody ? `${last}.text` : `${last}.body.${path}`;
    const urls = steps.map(({ url }) => url).join(' ');
    const outputs = others?.map((name) => [
      inputName(name),
      `{{ ${urls.includes(`steps.step1.body.${name}`) ? 'steps.step1' : last}.body.${name} }}`,
    ]);
    return {
      value: `{{ ${value} }}`,
      expiry: this.#expiry(expiry!, last),
      ...(outputs && { outputs: Object.fromEntries(outputs) as Record<string, string> }),
    };
  }

  #expiry({ kind, path, seconds, fallback }: ExpiryFacts, last: string): Record<string, unknown>[] {
    if (kind === 'fixed') return [{ fixed_s: seconds }];
    if (kind === 'at') return [{ at: `{{ ${last}.body.${path} }}` }];
    const assumed = { fixed_s: assumedLifeSeconds };
    if (kind === 'none_declared') return [assumed];
    return [{ in: `{{ ${last}.body.${path} }}` }, ...(fallback ? [assumed] : [])];
  }

  #presented(): Record<string, string> {
    const { headers = {}, companion_headers: companions = {} } = this.entry.presentation;
    // An entry that names one header twice cannot mean both: the one with the token it is.
    const others = Object.entries(companions).filter(([name]) => !(name in headers));
    return this.#text.deep({ ...headers, ...Object.fromEntries(others) });
  }
}
