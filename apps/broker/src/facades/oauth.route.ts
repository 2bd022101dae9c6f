import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ServableToken } from '#tokens';
import { Problem } from '../problem';
import { type ClientAuthentication, clientAuthentication, invalidClient } from './client-authentication';
import { type FacadeParts, identifyService, readToken, type ServiceCaller } from './service-caller';
import { refuseOtherMethods, sendJson } from './endpoint';
import { type Form, readForm } from './form';
import { asOAuthError, OAuthError, sendOAuthError } from './oauth-error';
import { refusalOf } from './refusal';
import { howToName, type Target, targetOf } from './target';
import { accessTokenType, identifySubject, tokenExchange } from './token-exchange';

export const tokenPath = '/oauth/token';

/** The body of RFC 6749 5.1, and of RFC 8693 2.2.1. */
interface TokenAnswer {
  access_token: string;
  issued_token_type?: string;
  token_type: string;
  expires_in: number;
  scope?: string;
}

/** Finds out which service asks, and what its grant of the client named is. @throws OAuthError */
type Identify = (clientName?: string) => Promise<ServiceCaller>;

/** `POST /oauth/token`: client credentials (RFC 6749 4.4) and token exchange (RFC 8693) for what the broker keeps. */
export function registerOAuthRoute(fastify: FastifyInstance, parts: FacadeParts): void {
  void fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
      done(null, body),
    );
    scope.setErrorHandler((error, request, reply) => {
      parts.answers.countRefusal();
      sendOAuthError(error instanceof OAuthError ? error : asOAuthError(refusalOf(error, request)), reply);
    });
    scope.post(tokenPath, { config: { quiet: true } }, async (request: FastifyRequest<{ Body?: string }>, reply) => {
      const form = readForm(request.body ?? '', queryOf(request.raw));
      return sendJson(reply, await answer(parts, request.raw, form));
    });
    const notPost = () => new OAuthError('invalid_request', 'Tokens are asked for with POST.', { status: 405 });
    refuseOtherMethods(scope, tokenPath, notPost);
  });
}

async function answer(parts: FacadeParts, request: IncomingMessage, form: Form): Promise<TokenAnswer> {
  const grantType = form.get('grant_type');
  if (grantType === undefined) throw new OAuthError('invalid_request', 'grant_type is missing: client_credentials.');
  const exchanges = grantType === tokenExchange;
  if (grantType !== 'client_credentials' && !exchanges) {
    throw new OAuthError('unsupported_grant_type', `The grant types are client_credentials and ${tokenExchange}.`);
  }
  const authentication = clientAuthentication(request, form);
  const identify: Identify = exchanges
    ? (clientName) => identifySubject(parts, authentication, form, clientName)
    : (clientName) => identifyClient(parts, authentication, clientName);
  const token = await tokenOf(parts, identify, targetOf(form, { audience: exchanges }));
  return {
    access_token: token.accessToken,
    ...(exchanges && { issued_token_type: accessTokenType }),
    token_type: token.tokenType,
    expires_in: parts.answers.expiresIn(token),
    ...(token.scope !== undefined && { scope: token.scope }),
  };
}

async function identifyClient(
  parts: FacadeParts,
  { claimed, credentials }: ClientAuthentication,
  clientName?: string,
): Promise<ServiceCaller> {
  const caller = claimed === undefined ? undefined : await identifyService(parts, credentials, claimed, clientName);
  if (!caller) throw invalidClient();
  return caller;
}

async function tokenOf(parts: FacadeParts, identify: Identify, named: Target | undefined): Promise<ServableToken> {
  if (named) return readNamed(parts, await identify(named.client), named);
  const { principal } = await identify();
  const meant = await parts.onlyClient.of(principal.name);
  if ('client' in meant) {
    const target: Target = { client: meant.client, refusedAs: 'invalid_scope' };
    return readNamed(parts, await identify(meant.client), target);
  }
  const many = meant.choices === 0 ? 'No client is' : `${meant.choices} clients are`;
  const hint = meant.choices === 0 ? 'An admin grants one: POST /v1/grants.' : `Name one: ${howToName}.`;
  throw new OAuthError('invalid_scope', `${many} granted to this service. ${hint}`);
}

async function readNamed(
  parts: FacadeParts,
  caller: ServiceCaller,
  { client, refusedAs }: Target,
): Promise<ServableToken> {
  try {
    return await readToken(parts, caller, client);
  } catch (error) {
    if (!(error instanceof Problem) || !['not_found', 'client_disabled'].includes(error.code)) throw error;
    throw new OAuthError(refusedAs, error.message);
  }
}

function queryOf({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}
