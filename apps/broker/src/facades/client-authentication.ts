import type { IncomingMessage } from 'node:http';
import { type Credentials, credentialsOf } from '../auth/authenticator';
import { isJwt } from '../auth/jwt/jwt-door';
import type { Form } from './form';
import { OAuthError } from './oauth-error';

const wherePutJwt = 'A JWT goes into subject_token, with the grant type of RFC 8693.';

/** How a token request says which service it comes from, and proves it. */
export interface ClientAuthentication {
  /** The service that it claims to be, where it says so. */
  claimed: string | undefined;
  /** Absent: it shows no secret; it may have a certificate. */
  secret?: string;
  /** To be identified by. */
  credentials: Credentials;
}

/** What anyone is told whose authentication failed, whatever the reason. */
export function invalidClient(): OAuthError {
  return new OAuthError(
    'invalid_client',
    'client_id must be the name of a service, and client_secret a valid key of it.',
  );
}

/**
 * `client_secret_basic` or `client_secret_post` (RFC 6749 2.3.1).
 * @throws OAuthError
 */
export function clientAuthentication(request: IncomingMessage, form: Form): ClientAuthentication {
  const claimed = form.get('client_id');
  const posted = form.get('client_secret');
  const headers = request.headersDistinct['authorization'] ?? [];
  if (headers.length > 1) throw new OAuthError('invalid_request', 'There is more than one Authorization header.');
  if (form.has('client_assertion') || form.has('client_assertion_type')) {
    throw new OAuthError('invalid_request', `Client assertions are not taken. ${wherePutJwt}`);
  }
  const [header] = headers;
  if (header === undefined) {
    if (posted !== undefined && claimed === undefined) throw invalidClient();
    const given = credentialsOf(request);
    if (posted === undefined) return { claimed, credentials: given };
    return { claimed, secret: posted, credentials: withSecret(given, posted) };
  }
  const { id, secret } = basic(header);
  if (posted !== undefined) {
    throw new OAuthError('invalid_request', 'Authenticate once: by the Authorization header, or by client_secret.');
  }
  if (claimed !== undefined && claimed !== id) {
    throw new OAuthError('invalid_request', 'client_id is another one than in the Authorization header.');
  }
  return { claimed: id, secret, credentials: withSecret(credentialsOf(request), secret) };
}

/** A secret is a key. The authenticator would take a JWT as well, which has its own way in. */
function withSecret(given: Credentials, secret: string): Credentials {
  if (!isJwt(secret)) return withKey(given, secret);
  throw new OAuthError('invalid_client', `client_secret must be a key of the service. ${wherePutJwt}`);
}

/** The same, as the authenticator takes it from everyone. Spaces before a key would be part of the header, and forgiven. */
export function withKey(given: Credentials, key: string): Credentials {
  return { ...given, authorization: key.startsWith(' ') ? 'Bearer' : `Bearer ${key}` };
}

/** RFC 7617, each half form-encoded before (RFC 6749 2.3.1): so `:`, `%` and `+` can stand in either. */
function basic(header: string): { id: string; secret: string } {
  const encoded = /^basic +([\w+/-]+={0,2})$/i.exec(header)?.[1];
  const [, id, secret] = /^([^:]*):([^]*)$/.exec(Buffer.from(encoded ?? '', 'base64').toString('utf8')) ?? [];
  if (!id || !secret) throw invalidClient();
  return { id: formDecoded(id), secret: formDecoded(secret) };
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw invalidClient();
  }
}
