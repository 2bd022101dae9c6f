import type { ProviderErrorCode } from './errors';

/** A provider as data. What a field may hold is said by `definition.schema.ts`; how it is read, by `compiled-definition.ts`. */
export interface ProviderDefinition {
  readonly id: string;
  readonly title?: string;
  /** The vendor's documentation, from which the definition was written. */
  readonly docs?: string;
  readonly inputs: Readonly<Record<string, InputSpec>>;
  readonly steps: readonly StepSpec[];
  readonly token: TokenSpec;
  readonly present: { readonly headers?: Texts };
  readonly errors?: readonly ErrorRule[];
  /** Response header with the provider's id for a request. */
  readonly request_id_header?: string;
  readonly renew?: RenewSpec;
}

/** Templates by field name. */
export type Texts = Readonly<Record<string, string>>;

export interface InputSpec {
  readonly title?: string;
  readonly description?: string;
  readonly secret?: boolean;
  readonly optional?: boolean;
  readonly default?: string;
  readonly enum?: readonly string[];
  readonly suggest?: readonly string[];
  /** `url`: an absolute https URL, placed unescaped at the start of a step's `url`. */
  readonly format?: 'url';
  /** Hosts that a URL input may name: exact, or `*.` and a suffix. */
  readonly hosts?: readonly string[];
  /** Inputs without which this one has no meaning; its default applies only where they are given. */
  readonly needs?: readonly string[];
}

export interface StepSpec {
  readonly id: string;
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly url: string;
  readonly query?: Texts;
  readonly headers?: Texts;
  readonly basic?: { readonly user: string; readonly pass: string; readonly encode?: 'form' | 'plain' };
  readonly body?: { readonly form: Texts } | { readonly json: JsonTemplate };
  /** Signs of failure in an answer that claims success (2xx). */
  readonly fail_if?: readonly Condition[];
}

/** A JSON value; each string in it is a template. */
export type JsonTemplate =
  string | number | boolean | null | readonly JsonTemplate[] | { readonly [name: string]: JsonTemplate };

export interface TokenSpec {
  readonly value: string;
  /** Template of RFC 6749 5.1 `token_type`; a type other than Bearer is refused (RFC 6749 7.1). */
  readonly type?: string;
  readonly scope?: string;
  /** Tried in order until one yields a life; `jwt_exp` besides shortens what another one yields. */
  readonly expiry: readonly ExpirySpec[];
}

export type ExpirySpec =
  | { readonly in: string; readonly unit?: 's' | 'ms' | 'min' | 'auto' }
  | { readonly jwt_exp: true }
  | { readonly fixed_s: number };

/** Holds when all that it says holds. A path reads the JSON body: `errors[0].code`, `errors[*].code`. */
export interface Condition {
  readonly status?: number | readonly number[];
  readonly path?: string;
  /** Compared as text: 320001 equals "320001". */
  readonly equals?: string | number | boolean;
  readonly in?: readonly (string | number)[];
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
  /** At most so many token requests in any such time, over all clients of the provider at one host. */
  readonly quota?: { readonly requests: number; readonly per_s: number };
  /** Answers of the provider's API which mean that the token is no longer accepted. */
  readonly invalid_when?: readonly Condition[];
}
