import type { FastifyReply } from 'fastify';
import { sendJson } from './endpoint';
import type { Refusal } from './refusal';

/** RFC 6749 5.2, RFC 8707 2, and two of RFC 6749 4.1.2.1 for what is not the client's fault. */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_client'
  | 'unsupported_grant_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'temporarily_unavailable'
  | 'server_error';

/** A token request that is refused, in the words of OAuth 2.0. */
export class OAuthError extends Error {
  readonly status: number;
  readonly retryAfter: string | undefined;

  constructor(
    readonly code: OAuthErrorCode,
    description: string,
    more: { status?: number; retryAfter?: string | undefined } = {},
  ) {
    super(description);
    this.name = 'OAuthError';
    this.status = more.status ?? (code === 'invalid_client' ? 401 : 400);
    this.retryAfter = more.retryAfter;
  }
}

/** What went wrong elsewhere. Where the RFC has no word for a status, the status itself is kept for whoever reads it. */
export function asOAuthError({ status, detail, retryAfter }: Refusal): OAuthError {
  const more = { status, retryAfter };
  if (status === 401 || status === 403) return new OAuthError('invalid_client', detail);
  if (status === 413) return new OAuthError('invalid_request', detail, more);
  if (status === 429 || status === 502 || status === 503)
    return new OAuthError('temporarily_unavailable', detail, more);
  if (status >= 500) return new OAuthError('server_error', detail, more);
  return new OAuthError('invalid_request', detail);
}

export function sendOAuthError(error: OAuthError, reply: FastifyReply): void {
  if (error.code === 'invalid_client') {
    void reply.header('www-authenticate', 'Basic realm="token-broker", charset="UTF-8"');
  }
  if (error.retryAfter !== undefined) void reply.header('retry-after', error.retryAfter);
  sendJson(reply.code(error.status), { error: error.code, error_description: describable(error.message) });
}

/** The characters that RFC 6749 5.2 allows in a description. */
function describable(text: string): string {
  return text
    .replaceAll('"', "'")
    .replaceAll('…', '...')
    .replace(/[^\x20-\x7e]|\\/g, '?');
}
