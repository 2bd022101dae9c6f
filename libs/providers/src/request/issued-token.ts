import type { Secret } from '#vault';

/** A token fresh from its provider, with all that is needed to serve it. */
export interface IssuedToken {
  accessToken: Secret;
  /** Life in seconds counted from `sentAt`; always finite and > 0. */
  lifeSeconds: number;
  /** Wall clock in ms at the moment before the request was sent; the life is counted from here. */
  sentAt: number;
  /** Monotonic clock in ms at the same moment. */
  sentAtMonotonic: number;
  /** Headers ready to send to the provider's API. They contain the token: treat each value as secret. */
  headers: Record<string, string>;
  /** Query parameters and cookies that an API call has to carry besides; cookies stand in `headers` too. Secret as well. */
  query?: Record<string, string>;
  cookies?: Record<string, string>;
  /** What else the provider told, such as an `instance_url`. */
  outputs?: Record<string, string>;
  /** RFC 6749 5.1 `token_type`: `Bearer`, since a token of another type is refused. */
  tokenType: string;
  scope?: string;
  /** The provider's id for the request, kept for its support desk. */
  providerRequestId?: string;
}
