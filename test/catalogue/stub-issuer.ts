import { isDeepStrictEqual } from 'node:util';
import type { ReceivedRequest } from '../harness/local-provider';
import type { Entry, ExpiryFacts, SignedJwt } from './facts';
import { Evaluation } from './issuer-text';
import { jwtComplaints } from './jwt-complaints';
import type { SampleClient } from './sample-client';

export interface StubAnswer {
  status: number;
  headers: Record<string, string | string[]>;
  body: string;
}

/** One request that the issuer of an entry waits for. */
interface Awaited {
  url: string;
  query: Record<string, string>;
  method: string;
  type: 'form' | 'json' | 'query' | 'none';
  headers: Record<string, string>;
  body: Record<string, unknown>;
}

/**
 * Acts as the issuer that an entry of the catalogue describes, from the facts alone. It takes exactly the requests that
 * they tell of, in their order; anything else is refused, and `complaints` says why.
 */
export class StubIssuer {
  readonly complaints: string[] = [];
  readonly urls: string[] = [];
  readonly token: string;
  /** In seconds; undefined where this issuer says nothing about it. */
  readonly life: number | undefined;
  /** What else it told, by the names of the facts. */
  readonly told: Record<string, string> = {};
  readonly #known = new Map<string, string>();
  readonly #of: Evaluation;
  #served = 0;

  /** @param sparse answers without what it may leave out, and with numbers as texts */
  constructor(
    private readonly entry: Entry,
    private readonly client: SampleClient,
    private readonly now: number,
    private readonly sparse = false,
  ) {
    this.#of = new Evaluation(client, now, this.#known);
    this.token = `issued/${entry.name}+tok.${'x'.repeat(40)}=`;
    const { kind, fallback } = entry.token_response.expiry!;
    const says = kind === 'at' || (kind === 'in' && !(sparse && fallback));
    this.life = kind === 'fixed' ? entry.token_response.expiry!.seconds : says ? 1234 : undefined;
  }

  get isDone(): boolean {
    return this.#served === this.#stepCount;
  }

  get #stepCount(): number {
    return 1 + (this.entry.token_request.additional_steps?.length ?? 0);
  }

  answer(request: ReceivedRequest): StubAnswer {
    this.urls.push(`${request.headers['host'] as string}${request.url}`);
    const complaints = this.isDone ? ['nothing more is awaited'] : this.#complaintsAbout(request, this.#awaited());
    this.complaints.push(...complaints);
    const date = new Date(this.now).toUTCString();
    const isText = this.entry.token_response.token_path === '(whole response body)';
    const headers = { date, 'content-type': isText ? 'text/plain' : 'application/json' };
    if (complaints.length > 0) return { status: 400, headers, body: JSON.stringify({ error: 'invalid_request' }) };
    this.#served++;
    const body = this.isDone ? this.#lastBody() : this.#earlierBody();
    return { status: 200, headers, body: isText ? this.token : JSON.stringify(body) };
  }

  /** What a call of the API has to carry, by lower-case names. A header that the facts name twice is the token's. */
  presented(token: string): Record<string, string> {
    const known = new Map([
      ['accessToken', token],
      ['credentials.token', token],
    ]);
    const of = new Evaluation(this.client, this.now, known);
    const { headers, companion_headers } = this.entry.presentation;
    const entries = Object.entries({ ...companion_headers, ...headers });
    return Object.fromEntries(entries.map(([name, text]) => [name.toLowerCase(), of.text(text)]));
  }

  /** What is wrong with a token that was minted by the client itself. */
  mintComplaints(token: string): string[] {
    return jwtComplaints(token, this.entry.token_request.local_mint!, this.#of, this.client, this.now);
  }

  #awaited(): Awaited {
    const { url, method = 'POST', content_type: type = 'none', headers, additional_steps } = this.entry.token_request;
    const step = additional_steps?.[this.#served - 1];
    if (step) {
      const { token_url, body_format, token_params, token_headers } = step;
      const body = this.#texts(token_params);
      return {
        ...this.#place(token_url),
        method: 'POST',
        type: body_format,
        headers: this.#texts(token_headers),
        body,
      };
    }
    const place = this.#place(url ?? 'https://${tokenUrl}');
    const fields = this.entry.auth_mode === 'OAUTH2_CC' ? this.#oauthFields() : this.#twoStepFields();
    const wanted = { method, type, headers: { ...this.#texts(headers), ...this.#basic() } };
    return type === 'query'
      ? { ...place, ...wanted, query: { ...place.query, ...(fields as Record<string, string>) }, body: {} }
      : { ...place, ...wanted, body: fields };
  }

  #place(source: string): { url: string; query: Record<string, string> } {
    const [base, search] = source.split('?');
    const [, host, path] = /^(https:\/\/[^/]+|\$\{step\d\.\w+\})(.*)$/s.exec(this.#choice(base!))!;
    const pairs = (search?.split('&') ?? []).map((pair) => pair.split('=').map((text) => this.#of.text(text)));
    const url = this.#of.text(host!) + this.#of.text(path!, encodeURIComponent);
    return { url, query: Object.fromEntries(pairs) as Record<string, string> };
  }

  #choice(source: string): string {
    const [wanted, fallback] = source.split(' || ');
    const ref = /\$\{(\w+\.\w+)\}/.exec(wanted!)?.[1];
    return fallback !== undefined && !this.client.has(ref!) ? fallback : wanted!;
  }

  #texts(of: Readonly<Record<string, string>> | null | undefined): Record<string, string> {
    return Object.fromEntries(Object.entries(of ?? {}).map(([name, text]) => [name, this.#of.text(text)]));
  }

  #basic(): Record<string, string> {
    const { client_auth } = this.entry.token_request;
    if (this.entry.auth_mode !== 'OAUTH2_CC' || client_auth !== 'http_basic') return {};
    return { authorization: this.#of.text('Basic ${base64(${client_id}:${client_secret})}') };
  }

  #oauthFields(): Record<string, unknown> {
    const { client_auth: auth = '', grant_type, extra_params, scope } = this.entry.token_request;
    const names = auth.includes('username/password') ? ['username', 'password'] : ['client_id', 'client_secret'];
    const [id, secret] = [this.client.value('client_id'), this.client.value('client_secret')];
    const field = this.entry.inputs.config_fields.includes('oauth_scopes') ? 'oauth_scopes' : 'scope';
    const scopes = this.client.has(field) ? this.client.value(field) : scope?.default?.join(scope.separator ?? ' ');
    return {
      ...(grant_type && { grant_type }),
      ...(auth.startsWith('body fields') && { [names[0]!]: id, [names[1]!]: secret }),
      ...(auth.startsWith('private_key_jwt') && this.#clientAssertion()),
      ...(scopes && { scope: scopes }),
      ...this.#texts(extra_params),
    };
  }

  /** RFC 7523 2.2 and 3. */
  #clientAssertion(): Record<string, unknown> {
    const { url } = this.#place(this.entry.token_request.url!);
    const claims = { iss: '${client_id}', sub: '${client_id}', aud: url, jti: '${random}' };
    const jwt: SignedJwt = { alg: 'RS256', header: { alg: 'RS256' }, claims, lifetime_s: 300 };
    const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
    return { client_assertion_type, client_assertion: this.#isSigned(jwt) };
  }

  #twoStepFields(): Record<string, unknown> {
    const { body, signed_jwt } = this.entry.token_request;
    const value = (text: string | boolean): unknown => {
      if (typeof text !== 'string') return text;
      if (signed_jwt && /^\$\{(token|credentials\.assertion)\}$/.test(text)) return this.#isSigned(signed_jwt);
      return /"\$\{/.test(text) ? this.#quotes(text) : this.#of.text(text);
    };
    return Object.fromEntries(Object.entries(body ?? {}).map(([name, text]) => [name, value(text)]));
  }

  #isSigned(facts: SignedJwt): (jwt: unknown) => string[] {
    return (jwt) => jwtComplaints(jwt, facts, this.#of, this.client, this.now);
  }

  /** A text (GraphQL) that holds values as quoted strings, read as the server reads it. */
  #quotes(source: string): (text: unknown) => string[] {
    return (text) => {
      const strings = /"(?:[^"\\]|\\.)*"/g;
      const read = String(text)
        .match(strings)
        ?.map((one) => JSON.parse(one) as string);
      const wanted = source.match(strings)?.map((one) => this.#of.text(one.slice(1, -1)));
      const rest = [String(text), source].map((one) => one.replace(strings, '""'));
      return isDeepStrictEqual(read, wanted) && rest[0] === rest[1] ? [] : [`is ${String(text)}`];
    };
  }

  #complaintsAbout(request: ReceivedRequest, awaited: Awaited): string[] {
    const [path, search] = request.url.split('?');
    const complaints: string[] = [];
    const expect = (what: string, actual: unknown, wanted: unknown) => {
      if (typeof wanted === 'function') complaints.push(...wanted(actual).map((one: string) => `${what}: ${one}`));
      else if (!isDeepStrictEqual(actual, wanted)) {
        complaints.push(`${what}: ${JSON.stringify(actual)}, not ${JSON.stringify(wanted)}`);
      }
    };
    expect('method', request.method, awaited.method);
    const [url, wantedUrl] = [`https://${request.headers['host'] as string}${path}`, awaited.url];
    expect('url', url.split('/').map(decodeURIComponent), wantedUrl.split('/').map(decodeURIComponent));
    expect('query', fieldsOf(search ?? ''), awaited.query);
    for (const [name, text] of Object.entries(awaited.headers)) {
      if (name.toLowerCase() !== 'content-type') expect(name, request.headers[name.toLowerCase()], text);
    }
    const lower = Object.keys(awaited.headers).map((name) => name.toLowerCase());
    if (!lower.includes('authorization')) expect('authorization', request.headers['authorization'], undefined);
    const body = this.#bodyOf(request, awaited);
    expect('fields of the body', Object.keys(body).sort(), Object.keys(awaited.body).sort());
    for (const [name, value] of Object.entries(awaited.body)) expect(name, body[name], value);
    return complaints;
  }

  #bodyOf({ headers, body }: ReceivedRequest, { type, body: awaited }: Awaited): Record<string, unknown> {
    if (Object.keys(awaited).length === 0 && (body === '' || body === '{}')) return {};
    const mediaType = String(headers['content-type']).split(';')[0];
    if (type === 'form' && mediaType === 'application/x-www-form-urlencoded') return fieldsOf(body);
    if (type === 'json' && mediaType === 'application/json') return JSON.parse(body) as Record<string, unknown>;
    return { [`a body of type ${mediaType}`]: body };
  }

  /** What later steps are made of: texts, and the place to go on at, at another host of the vendor's. */
  #earlierBody(): Record<string, string> {
    const later = JSON.stringify(this.entry.token_request.additional_steps);
    const names = new Set([...later.matchAll(/\$\{step1\.(\w+)\}/g)].map(([, name]) => name!));
    const vendor = new URL(this.#place(this.entry.token_request.url!).url).host.replace(/^[^.]+\./, '');
    for (const name of names) {
      const isPlace = later.includes(`"\${step1.${name}}/`);
      this.#known.set(`step1.${name}`, isPlace ? `https://acme.my.${vendor}` : `earlier ${name}`.replace(' ', '-'));
      if (this.entry.token_response.also_returns?.includes(name)) this.told[name] = this.#known.get(`step1.${name}`)!;
    }
    return Object.fromEntries([...names].map((name) => [name, this.#known.get(`step1.${name}`)!]));
  }

  #lastBody(): Record<string, unknown> {
    const { token_path, expiry, also_returns = [], refresh_token_path: refresh } = this.entry.token_response;
    const body: Record<string, unknown> = this.entry.auth_mode === 'OAUTH2_CC' ? { token_type: 'bearer' } : {};
    if (refresh !== undefined) put(body, refresh, 'a-refresh-token');
    put(body, token_path!, this.token);
    if (expiry?.path !== undefined && this.life !== undefined) put(body, expiry.path, this.#expiry(expiry));
    for (const name of also_returns) {
      if (name in this.told) continue;
      this.told[name] = `https://${name.replaceAll('_', '-')}.acme.example`;
      body[name] = this.told[name];
    }
    return body;
  }

  #expiry({ kind }: ExpiryFacts): string | number {
    if (kind === 'in') return this.sparse ? String(this.life) : this.life!;
    const until = this.now + this.life! * 1000;
    return this.sparse ? Math.floor(until / 1000) : new Date(until).toISOString();
  }
}

function fieldsOf(form: string): Record<string, unknown> {
  const params = new URLSearchParams(form);
  return Object.fromEntries([...params.keys()].map((name) => [name, params.getAll(name).join(' and ')]));
}

function put(body: Record<string, unknown>, path: string, value: unknown): void {
  const names = path.split('.');
  const last = names.pop()!;
  let at = body;
  for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
  at[last] = value;
}
