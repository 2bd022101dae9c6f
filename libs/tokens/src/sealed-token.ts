import type { Clock, IssuedToken } from '#providers';
import { Secret, type Vault } from '#vault';
import type { ServableToken, TokenJson } from './token-cache';
import type { Claim, StoredToken } from './store/token-store';

/** Stands for the token inside a header and its like, so that a token of 900 bytes is stored once. None of them can contain it. */
const placeholder = '\0';
const placeholderInJson = '\\u0000';
/** It, and what may look like it from the second one on: a backslash that stands for itself. */
const placeholders = /(\\u0000|\\\\)/;
/** A text that is the same in JSON, but for the quotes. Most tokens are. */
const plain = /^[ !#-[\]-~]*$/;

interface Payload extends Partial<Record<(typeof carried)[number], Record<string, string>>> {
  token: string;
  type: string;
  scope?: string;
  headers: Record<string, string>;
  /** `plannedEarlyMs` and `singleLive` of a `ServableToken`. */
  early?: number;
  single?: true;
}

/** What goes out beside the headers, where there is any. */
const carried = ['query', 'cookies', 'outputs'] as const;

/** The token and all that goes out with it, sealed for its client and generation. */
export function sealIssued(
  vault: Vault,
  { clientId, generation }: Claim,
  issued: IssuedToken,
  { plannedEarlyMs: early, singleLive: single }: Pick<ServableToken, 'plannedEarlyMs' | 'singleLive'> = {},
): Buffer {
  const token = issued.accessToken.reveal();
  const payload: Payload = {
    token,
    type: issued.tokenType,
    ...(issued.scope !== undefined && { scope: issued.scope }),
    headers: replaceInValues(issued.headers, token, placeholder),
    ...carriedWith(issued, token, placeholder),
    ...(early !== undefined && { early: Math.round(early) }),
    ...(single && { single }),
  };
  return vault.sealToken(new Secret(JSON.stringify(payload)), `${clientId}:${generation}`);
}

/** @throws CannotOpen */
export function openStored(vault: Vault, clientId: string, stored: StoredToken, clock: Clock): ServableToken {
  const opened = vault.openToken(stored.sealed, `${clientId}:${stored.generation}`);
  return new OpenedToken(clientId, stored, JSON.parse(opened.reveal()) as Payload, clock);
}

/** Holds the text of the token once, and puts it into headers and their like each time they are asked for. */
class OpenedToken implements ServableToken {
  readonly generation: string;
  readonly secretVersion: number;
  readonly serveUntil: number;
  readonly serveUntilMonotonic: number;
  readonly servableLifeMs: number;
  readonly #payload: Payload;
  /** Its text in JSON, without the quotes: the very same string, most often. */
  readonly #inJson: string;
  readonly #rest: readonly string[];

  constructor(
    readonly clientId: string,
    { generation, secretVersion, runwayMs, servableLifeMs }: StoredToken,
    payload: Payload,
    clock: Clock,
  ) {
    [this.generation, this.secretVersion, this.servableLifeMs] = [generation, secretVersion, servableLifeMs];
    [this.serveUntil, this.serveUntilMonotonic] = [clock.now() + runwayMs, clock.monotonic() + runwayMs];
    this.#payload = payload;
    this.#inJson = plain.test(payload.token) ? payload.token : JSON.stringify(payload.token).slice(1, -1);
    this.#rest = partsOf(payload);
    Object.freeze(this);
  }

  get accessToken(): string {
    return this.#payload.token;
  }

  get tokenType(): string {
    return this.#payload.type;
  }

  get scope(): string | undefined {
    return this.#payload.scope;
  }

  get headers(): Readonly<Record<string, string>> {
    return this.#filled(this.#payload.headers);
  }

  get query(): Readonly<Record<string, string>> | undefined {
    return this.#payload.query && this.#filled(this.#payload.query);
  }

  get cookies(): Readonly<Record<string, string>> | undefined {
    return this.#payload.cookies && this.#filled(this.#payload.cookies);
  }

  get outputs(): Readonly<Record<string, string>> | undefined {
    return this.#payload.outputs && this.#filled(this.#payload.outputs);
  }

  get json(): TokenJson {
    // Added up rather than replaced: the text is copied when the answer is written, and not before.
    let rest = '';
    for (const part of this.#rest) rest += part === placeholderInJson ? this.#inJson : part;
    return { accessToken: `"${this.#inJson}"`, rest };
  }

  get plannedEarlyMs(): number | undefined {
    return this.#payload.early;
  }

  get singleLive(): true | undefined {
    return this.#payload.single;
  }

  #filled(templates: Record<string, string>): Readonly<Record<string, string>> {
    return Object.freeze(replaceInValues(templates, placeholder, this.accessToken));
  }
}

/** The JSON of what goes out with the token, cut where the token stands in it. Most tokens have the same as the one before. */
function partsOf({ headers, scope, query, cookies, outputs }: Payload): readonly string[] {
  const json = JSON.stringify({ headers, scope, query, cookies, outputs }).slice(1, -1);
  if (json !== lastParts.json) lastParts = { json, parts: json.split(placeholders) };
  return lastParts.parts;
}

let lastParts: { json: string; parts: readonly string[] } = { json: '', parts: [] };

function carriedWith(from: Pick<Payload, (typeof carried)[number]>, what: string, by: string) {
  const given = carried.flatMap((part) => (from[part] ? [[part, replaceInValues(from[part], what, by)]] : []));
  return Object.fromEntries(given) as Pick<Payload, (typeof carried)[number]>;
}

function replaceInValues(headers: Record<string, string>, what: string, by: string): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.split(what).join(by)]));
}
