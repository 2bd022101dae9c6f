import type { ProviderErrorCode } from '../failures/errors';

/** A provider as data. What a field may hold is said by `definition.schema.ts`, what it means by docs/reference. */
export interface ProviderDefinition {
  readonly id: string;
  readonly title?: string;
  /** The vendor's documentation, from which the definition was written. */
  readonly docs?: string;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  /** Of each list at least one input has to be given. */
  readonly either?: readonly (readonly string[])[];
  /** Intermediate texts; one may name those above it. */
  readonly values?: Texts;
  readonly assertions?: Readonly<Record<string, AssertionSpec>>;
  readonly discovery?: { readonly issuer: string; readonly ca?: string };
  /** None where the token is minted without asking anyone. */
  readonly steps?: readonly StepSpec[];
  readonly token: TokenSpec;
  readonly present: PresentSpec;
  /** Where the API is that the tokens are for. */
  readonly api?: ApiSpec;
  readonly errors?: readonly ErrorRule[];
  /** Response header with the provider's id for a request. */
  readonly request_id_header?: string;
  readonly renew?: RenewSpec;
}

/** Templates by field name. A number or a boolean stands for its own text. */
export type Texts = Readonly<Record<string, Text>>;
export type Text = string | number | boolean;
/** A list repeats the field. */
export type Lists = Readonly<Record<string, Text | readonly Text[]>>;

export const inputFormats = ['url', 'host', 'path', 'private_key', 'certificate', 'json'] as const;
export type InputFormat = (typeof inputFormats)[number];

export interface InputSpec {
  readonly title?: string;
  readonly description?: string;
  readonly secret?: boolean;
  readonly optional?: boolean;
  readonly default?: string;
  readonly enum?: readonly string[];
  readonly suggest?: readonly string[];
  readonly format?: InputFormat;
  /** Hosts that a URL or host input may name: exact, or `*.` and a suffix. */
  readonly hosts?: readonly string[];
  /** Inputs without which this one has no meaning; its default applies only where they are given. */
  readonly needs?: readonly string[];
}

/** A JWT (RFC 7519) that is signed here. */
export interface AssertionSpec {
  /** JWS algorithm, a template; what the key is for where it is left out. */
  readonly alg?: string;
  readonly key: string;
  /** How the text of a shared secret (HS) stands for its bytes. */
  readonly key_encoding?: KeyEncoding;
  readonly passphrase?: string;
  readonly header?: Readonly<Record<string, JsonTemplate>>;
  readonly claims: Readonly<Record<string, JsonTemplate>>;
  readonly ttl_s: number;
}

export const keyEncodings = ['utf8', 'base64', 'base64url', 'hex'] as const;
export type KeyEncoding = (typeof keyEncodings)[number];

export interface StepSpec {
  readonly id: string;
  readonly method: Method;
  readonly url: string;
  /** Where an earlier answer names the host: the only ones that it may name. `{{inputs.NAME}}` is the host of that input. */
  readonly hosts?: readonly string[];
  readonly query?: Lists;
  readonly secrets_in_url?: boolean;
  readonly headers?: Texts;
  readonly basic?: { readonly user: string; readonly pass: string; readonly encode?: 'form' | 'plain' };
  readonly body?: BodySpec;
  /** Client certificate (RFC 8705). */
  readonly mtls?: { readonly cert: string; readonly key: string; readonly passphrase?: string };
  /** PEM of the authorities to trust for this server in place of the public ones. */
  readonly ca?: string;
  readonly response?: ResponseKind;
  /** Statuses that are no failure, besides 2xx. */
  readonly expect_status?: readonly number[];
  /** Signs of failure in an answer that claims success. */
  readonly fail_if?: readonly Condition[];
}

export const methods = ['GET', 'POST', 'PUT', 'PATCH'] as const;
export type Method = (typeof methods)[number];

export const responseKinds = ['json', 'xml', 'form', 'text'] as const;
export type ResponseKind = (typeof responseKinds)[number];

export type BodySpec =
  { readonly form: Lists } | { readonly json: JsonTemplate } | { readonly xml: string } | { readonly text: string };

/** A JSON value; each string in it is a template. */
export type JsonTemplate =
  string | number | boolean | null | readonly JsonTemplate[] | { readonly [name: string]: JsonTemplate };

export interface TokenSpec {
  readonly value: string;
  /** Template of RFC 6749 5.1 `token_type`; a type other than Bearer is refused (RFC 6749 7.1). */
  readonly type?: string;
  readonly scope?: string;
  /** What else the answer tells, such as an `instance_url`. */
  readonly outputs?: Texts;
  /** Tried in order until one yields a life; `jwt_exp` besides shortens what another one yields. */
  readonly expiry: readonly ExpirySpec[];
}

export type ExpirySpec =
  | { readonly in: string; readonly unit?: LifeUnit; readonly never_if?: readonly Text[] }
  | { readonly at: string; readonly format?: TimeFormat }
  | { readonly jwt_exp: true }
  | { readonly fixed_s: number }
  | { readonly never: true };

export const lifeUnits = ['s', 'ms', 'min', 'h', 'd', 'auto', 'hms', 'dhm', 'iso'] as const;
export type LifeUnit = (typeof lifeUnits)[number];
export const timeFormats = ['auto', 'iso', 'epoch_s', 'epoch_ms', 'http'] as const;
export type TimeFormat = (typeof timeFormats)[number];

/** What an API call has to carry. */
export interface PresentSpec {
  readonly headers?: Texts;
  readonly query?: Texts;
  readonly cookies?: Texts;
  /** Of `headers`, by name: those that a proxied request may bring itself. */
  readonly override?: readonly string[];
}

export interface ApiSpec {
  readonly base_url: string;
  /** Where the token's outputs name the host: the only ones that they may name. `{{inputs.NAME}}` is the host of that input. */
  readonly hosts?: readonly string[];
}

/** Holds when all that it says holds. A path reads the body: `errors[0].code`, `errors[*].code`. */
export interface Condition {
  readonly status?: number | readonly number[];
  readonly path?: string;
  readonly header?: string;
  /** Compared as text: 320001 equals "320001". */
  readonly equals?: Text;
  readonly not_equals?: Text;
  readonly in?: readonly Text[];
  readonly not_in?: readonly Text[];
  /** Part of the value, or of the whole text where neither path nor header is named. */
  readonly contains?: string;
  readonly exists?: true;
  readonly absent?: true;
  readonly non_empty?: true;
}

export interface ErrorRule {
  readonly when: Condition;
  readonly class: ProviderErrorCode;
  readonly message?: string;
  readonly hint?: string;
}

/** How the provider's tokens want to be renewed. */
export interface RenewSpec {
  /** No token is taken to live longer, whatever the provider says. */
  readonly max_ttl_s?: number;
  /** The provider repeats the same token until so many seconds before its end: only then is there a next one. */
  readonly sticky_window_s?: number;
  /** A new token ends the one before. */
  readonly single_live?: boolean;
  /** Seconds between two token requests of one client. */
  readonly min_interval_s?: number;
  /** At most so many token requests in any such time, over all clients of the provider that go to the same hosts. */
  readonly quota?: { readonly requests: number; readonly per_s: number };
  /** Answers of the provider's API which mean that the token is no longer accepted. */
  readonly invalid_when?: readonly Condition[];
}
