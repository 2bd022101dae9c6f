/** What `GET /v1/clients/{name}/token` answers. */
export interface ServedToken {
  client: string;
  access_token: string;
  token_type: string;
  /** Whole seconds for which it may be used; a margin has been taken off already. */
  expires_in: number;
  /** RFC 3339. */
  expires_at: string;
  /** Ready to send to the provider's API. */
  headers: Record<string, string>;
  scope?: string;
  /** Query parameters that an API call has to carry besides. */
  query?: Record<string, string>;
  /** By name; they stand in `headers` too. */
  cookies?: Record<string, string>;
  /** What else the provider told, such as where its API is. */
  outputs?: Record<string, string>;
}

/** What `POST /v1/clients/{name}/token/rejections` answers. */
export interface RejectionView {
  /** `already_replaced`: it was no longer the present token; `rate_limited`: nobody is asked now. */
  renewal: 'started' | 'under_way' | 'already_replaced' | 'rate_limited';
  /** Seconds. */
  retry_after?: number;
}

/** A fault of a request, or of a provider definition. */
export interface FieldFault {
  /** JSON pointer. */
  pointer: string;
  detail: string;
  /** Of a definition's text, from 1. */
  line?: number;
}

/** Every code that the broker's `application/problem+json` may carry: docs/errors.md has a heading for each. */
export const errorCodes = [
  'already_exists',
  'api_unknown',
  'body_too_large',
  'cannot_open',
  'client_disabled',
  'credentials_refused',
  'database_unavailable',
  'forbidden',
  'internal',
  'invalid_definition',
  'invalid_inputs',
  'issuer_unavailable',
  'last_admin_key',
  'malformed_json',
  'method_not_allowed',
  'not_found',
  'precondition_required',
  'provider_in_use',
  'provider_is_preset',
  'provider_misconfigured',
  'provider_unavailable',
  'proxy_busy',
  'request_not_forwarded',
  'secrets_required',
  'stream_unavailable',
  'throttled',
  'token_unavailable',
  'too_many_requests',
  'too_many_waiting',
  'unauthenticated',
  'unknown_provider',
  'unsupported_media_type',
  'upgrade_not_supported',
  'upstream_timeout',
  'upstream_unreachable',
  'validation_failed',
  'version_mismatch',
] as const;

export type ErrorCode = (typeof errorCodes)[number];
