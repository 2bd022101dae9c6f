import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServableToken } from '#tokens';
import { Problem } from '../problem';
import { type ClientAuthentication, clientAuthentication, invalidClient } from './client-authentication';
import { type Doors, identifyService, readToken, type ServiceCaller } from './doors';
import { type Form, readForm } from './form';
import { asOAuthError, neverStored, OAuthError, sendOAuthError } from './oauth-error';
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
export function registerOAuthRoute(fastify: FastifyInstance, doors: Doors): void {
  void fastify.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
      done(null, body),
    );
    scope.setErrorHandler((error, request, reply) => {
      doors.metrics.served('refused');
      sendOAuthError(error instanceof OAuthError ? error : asOAuthError(refusalOf(error, request)), reply);
    });
    scope.post(tokenPath, { config: { quiet: true } }, async (request: FastifyRequest<{ Body?: string }>, reply) => {
      const form = readForm(request.body ?? '', queryOf(request.raw));
      return send(reply, await answer(doors, request.raw, form));
    });
    scope.route({
      method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url: tokenPath,
      exposeHeadRoute: false,
      onRequest: (_request, reply, done) => {
        void reply.header('allow', 'POST');
        done(new OAuthError('invalid_request', 'Tokens are asked for with POST.', { status: 405 }));
      },
      handler: () => undefined,
    });
  });
}

async function answer(doors: Doors, request: IncomingMessage, form: Form): Promise<TokenAnswer> {
  const grantType = form.get('grant_type');
  if (grantType === undefined) throw new OAuthError('invalid_request', 'grant_type is missing: client_credentials.');
  const exchanges = grantType === tokenExchange;
  if (grantType !== 'client_credentials' && !exchanges) {
    throw new OAuthError('unsupported_grant_type', `The grant types are client_credentials and ${tokenExchange}.`);
  }
  const authentication = clientAuthentication(request, form);
  const identify: Identify = exchanges
    ? (clientName) => identifySubject(doors, authentication, form, clientName)
    : (clientName) => identifyClient(doors, authentication, clientName);
  const token = await tokenOf(doors, identify, targetOf(form, { audience: exchanges }));
  return {
    access_token: token.accessToken,
    ...(exchanges && { issued_token_type: accessTokenType }),
    token_type: token.tokenType,
    expires_in: doors.tokens.runwaySeconds(token),
    ...(token.scope !== undefined && { scope: token.scope }),
  };
}

async function identifyClient(
  doors: Doors,
  { claimed, credentials }: ClientAuthentication,
  clientName?: string,
): Promise<ServiceCaller> {
  const caller = claimed === undefined ? undefined : await identifyService(doors, credentials, claimed, clientName);
  if (!caller) throw invalidClient();
  return caller;
}

async function tokenOf(doors: Doors, identify: Identify, named: Target | undefined): Promise<ServableToken> {
  if (named) return readNamed(doors, await identify(named.client), named);
  const { principal } = await identify();
  const meant = await doors.onlyClient.of(principal.name);
  if ('client' in meant) {
    const target: Target = { client: meant.client, refusedAs: 'invalid_scope' };
    return readNamed(doors, await identify(meant.client), target);
  }
  const many = meant.choices === 0 ? 'No client is' : `${meant.choices} clients are`;
  const hint = meant.choices === 0 ? 'An admin grants one: POST /v1/grants.' : `Name one: ${howToName}.`;
  throw new OAuthError('invalid_scope', `${many} granted to this service. ${hint}`);
}

async function readNamed(doors: Doors, caller: ServiceCaller, { client, refusedAs }: Target): Promise<ServableToken> {
  try {
    return await readToken(doors, caller, client);
  } catch (error) {
    if (!(error instanceof Problem) || !['not_found', 'client_disabled'].includes(error.code)) throw error;
    throw new OAuthError(refusedAs, error.message);
  }
}

function send(reply: FastifyReply, body: TokenAnswer): FastifyReply {
  return reply.headers(neverStored).type('application/json; charset=utf-8').send(JSON.stringify(body));
}

function queryOf({ url = '' }: IncomingMessage): string {
  const mark = url.indexOf('?');
  return mark === -1 ? '' : url.slice(mark + 1);
}
