import { isJwt } from '../auth/jwt/jwt-door';
import { type ClientAuthentication, invalidClient, withKey } from './client-authentication';
import { type FacadeParts, identifyService, type ServiceCaller } from './service-caller';
import type { Form } from './form';
import { OAuthError } from './oauth-error';

/** RFC 8693 2.1. */
export const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
/** What a JWT of a service may be called (RFC 8693 3). */
const subjectTokenTypes = [
  'urn:ietf:params:oauth:token-type:jwt',
  accessTokenType,
  'urn:ietf:params:oauth:token-type:id_token',
];

/**
 * The service that a JWT of its own stands for. It needs no other authentication; where there is one, it must be the same
 * service's. A key is not exchanged: it is a `client_secret`.
 * @throws OAuthError; of an invalid `subject_token` as RFC 8693 2.2.2 says
 */
export async function identifySubject(
  parts: Pick<FacadeParts, 'authenticator'>,
  { claimed, secret, credentials }: ClientAuthentication,
  form: Form,
  clientName?: string,
): Promise<ServiceCaller> {
  const jwt = subjectToken(form);
  if (secret !== undefined && !(await identifyService(parts, credentials, claimed))) throw invalidClient();
  const subject = await identifyService(parts, withKey(credentials, jwt), undefined, clientName);
  if (!subject) {
    throw new OAuthError(
      'invalid_request',
      'subject_token is no valid JWT of a service: it may have expired, or its issuer or audience is not one that is configured.',
    );
  }
  if (claimed !== undefined && claimed !== subject.principal.name) {
    throw new OAuthError('invalid_request', 'subject_token is of another service than client_id.');
  }
  return subject;
}

function subjectToken(form: Form): string {
  const token = form.get('subject_token');
  const type = form.get('subject_token_type');
  const wanted = form.get('requested_token_type');
  if (token === undefined || type === undefined) {
    throw new OAuthError('invalid_request', 'subject_token and subject_token_type are both needed.');
  }
  if (!subjectTokenTypes.includes(type) || !isJwt(token)) {
    throw new OAuthError(
      'invalid_request',
      `subject_token must be a JWT, and subject_token_type one of ${subjectTokenTypes.join(', ')}.`,
    );
  }
  if (wanted !== undefined && wanted !== accessTokenType) {
    throw new OAuthError('invalid_request', `The only requested_token_type there is is ${accessTokenType}.`);
  }
  if (form.has('actor_token') || form.has('actor_token_type')) {
    throw new OAuthError('invalid_request', 'actor_token is not taken: nobody acts for a service here.');
  }
  return token;
}
