/** What every failed token request carries, in words fit for people. Already scrubbed of the inputs' secrets. */
export interface Failure {
  /** One sentence: what went wrong, in our words. */
  message: string;
  /** The provider's own words, scrubbed, at most 300 characters. */
  providerWords?: string;
  /** HTTP status of the provider's answer; absent when there was none. */
  providerStatus?: number;
  /** The provider's id for the request (Capillary: `X-Cap-Requestid`), for its support desk. */
  providerRequestId?: string;
  /** False when the provider cannot have heard of the request: nothing was sent, or no connection came about. */
  reached?: boolean;
  /** The connection was cut, before or in the middle of the answer. */
  cut?: boolean;
  /** What to do about it. */
  hint?: string;
  /** The provider's Retry-After, in seconds from the answer, never negative; absent when it gave none. */
  retryAfterSeconds?: number;
}

export const providerErrorCodes = [
  'credentials_refused',
  'throttled',
  'provider_unavailable',
  'provider_misconfigured',
] as const;
export type ProviderErrorCode = (typeof providerErrorCodes)[number];

/** A token request that failed, classified once and for all by status, body or lack of an answer. */
export abstract class ProviderError extends Error {
  abstract readonly code: ProviderErrorCode;

  constructor(
    readonly failure: Failure,
    options?: ErrorOptions,
  ) {
    super(failure.message, options);
    this.name = new.target.name;
  }
}

/** The provider answered and does not accept these credentials (or this scope). Retrying alone cannot help. */
export class CredentialsRefused extends ProviderError {
  readonly code = 'credentials_refused';
}

/** The provider asked to be left alone for a while (429, or its own way of saying so). */
export class Throttled extends ProviderError {
  readonly code = 'throttled';
}

/** No usable answer: unreachable, timed out, 5xx, HTML in place of JSON. Retrying may help. */
export class ProviderUnavailable extends ProviderError {
  readonly code = 'provider_unavailable';
}

/** The provider answered in a way that the definition does not describe, or the definition cannot be carried out. */
export class ProviderMisconfigured extends ProviderError {
  readonly code = 'provider_misconfigured';
}
