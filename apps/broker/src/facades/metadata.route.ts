import type { FastifyInstance, FastifyRequest } from 'fastify';
import { sendJson } from './endpoint';
import { tokenPath } from './oauth.route';
import { tokenExchange } from './token-exchange';

const wellKnown = '/.well-known/oauth-authorization-server';
/** A host as it may stand in a URL, with a port. */
const host = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i;

/**
 * RFC 8414: how OAuth libraries find the token endpoint. Without a public URL the issuer is whatever the request was sent
 * to. A request that lies of it misleads only its sender, since nobody may store the answer.
 */
export function registerMetadataRoute(fastify: FastifyInstance, publicUrl?: string): void {
  const path = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/$/, '');
  // Section 3.1: the path of an issuer comes behind. A proxy that takes the path away leaves the plain one.
  for (const url of new Set([wellKnown, `${wellKnown}${path}`])) {
    fastify.get(url, (request, reply) => sendJson(reply, metadata(publicUrl ?? addressed(request))));
  }
}

function metadata(issuer: string): object {
  return {
    issuer,
    token_endpoint: `${issuer}${tokenPath}`,
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    grant_types_supported: ['client_credentials', tokenExchange],
    response_types_supported: [],
    service_documentation: `${issuer}/docs`,
  };
}

function addressed({ host: given, protocol, socket }: FastifyRequest): string {
  return `${protocol}://${host.test(given) ? given.toLowerCase() : `127.0.0.1:${socket.localPort}`}`;
}
