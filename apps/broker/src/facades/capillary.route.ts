import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ProviderDefinition } from '#providers';
import type { ServableToken } from '#tokens';
import { credentialsOf } from '../auth/authenticator';
import { isJwt } from '../auth/jwt/jwt-door';
import { Problem } from '../problem';
import { withKey } from './client-authentication';
import { type FacadeParts, identifyService, readToken } from './service-caller';
import { refuseOtherMethods, sendJson } from './endpoint';
import { refusalOf } from './refusal';

const path = '/v3/oauth/token/generate';
/** The header that Capillary's APIs want the token in: by it alone is a provider known to be Capillary here. */
const tokenHeader = 'x-cap-api-oauth-token';
/** What Capillary says of a pair that it does not know. The status with it is not documented. */
const refused = { status: 401, code: 320001, message: 'Invalid client key and secret' };

/** An answer that is no token, as Capillary would give it. */
class CapillaryError extends Error {
  readonly status: number;
  readonly code: number;
  readonly retryAfter: string | undefined;

  constructor(status: number, message: string, more: { code?: number; retryAfter?: string | undefined } = {}) {
    super(message);
    this.name = 'CapillaryError';
    [this.status, this.code, this.retryAfter] = [status, more.code ?? status, more.retryAfter];
  }
}

/**
 * `POST /v3/oauth/token/generate` as Capillary documents it, so that its programs change nothing but where they ask.
 * `key` is `{service}` or `{service}/{client}`, `secret` a key of the service.
 */
export function registerCapillaryRoute(fastify: FastifyInstance, parts: FacadeParts): void {
  void fastify.register(async (scope) => {
    scope.setErrorHandler((error, request, reply) => {
      parts.answers.countRefusal();
      sendError(error instanceof CapillaryError ? error : asCapillaryError(error, request), request, reply);
    });
    scope.post(path, { config: { quiet: true } }, async (request: FastifyRequest<{ Body?: unknown }>, reply) => {
      const query = request.query as object;
      if ('key' in query || 'secret' in query) throw new CapillaryError(400, 'key and secret belong into the body');
      const token = await tokenFor(parts, request);
      const data = { accessToken: token.accessToken, ttlSeconds: parts.answers.expiresIn(token) };
      return send(reply, request, { data, errors: null });
    });
    refuseOtherMethods(scope, path, () => new CapillaryError(405, 'Method Not Allowed'));
  });
}

async function tokenFor(parts: FacadeParts, request: FastifyRequest<{ Body?: unknown }>): Promise<ServableToken> {
  const { service, client, secret } = credentials(request.body);
  const presented = withKey(credentialsOf(request.raw), secret);
  let caller = await identifyService(parts, presented, service, client);
  if (!caller) throw refusal();
  let name = client;
  if (name === undefined) {
    const meant = await parts.onlyClient.of(service, presentsAsCapillary);
    if (!('client' in meant)) throw refusal(choose(service, meant.choices));
    name = meant.client;
    caller = await identifyService(parts, presented, service, name);
    if (!caller) throw refusal();
  }
  return readToken(parts, caller, name, ({ headers, accessToken }) => {
    if (headerOf(headers) !== accessToken) {
      throw refusal(`the client '${name}' is of another provider than Capillary`);
    }
  });
}

function choose(service: string, choices: number): string {
  if (choices === 0) return `no client of Capillary is granted to the service '${service}'`;
  return `${choices} clients of Capillary are granted to the service '${service}': send the key ${service}/{client}`;
}

/** Whoever proved to be a service is told more; the beginning is what programs know. */
function refusal(why?: string): CapillaryError {
  const { status, code, message } = refused;
  return new CapillaryError(status, why === undefined ? message : `${message}: ${why}`, { code });
}

function credentials(body: unknown): { service: string; client: string | undefined; secret: string } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw malformed();
  const { key, secret } = body as { key?: unknown; secret?: unknown };
  if (typeof key !== 'string' || typeof secret !== 'string' || isJwt(secret)) throw refusal();
  const slash = key.indexOf('/');
  return slash === -1
    ? { service: key, client: undefined, secret }
    : { service: key.slice(0, slash), client: key.slice(slash + 1), secret };
}

function presentsAsCapillary({ present }: ProviderDefinition): boolean {
  return headerOf(present.headers ?? {}) !== undefined;
}

function headerOf(headers: Readonly<Record<string, unknown>>): unknown {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === tokenHeader)?.[1];
}

function malformed(): CapillaryError {
  return new CapillaryError(400, 'Malformed JSON request');
}

function asCapillaryError(error: unknown, request: FastifyRequest): CapillaryError {
  const { status, detail, retryAfter } = refusalOf(error, request);
  if (status === 400) return malformed();
  if (status === 415) return new CapillaryError(status, 'Unsupported Media Type');
  if (error instanceof Problem && status < 500 && status !== 429) return refusal(detail);
  return new CapillaryError(status, detail, { retryAfter });
}

function sendError(error: CapillaryError, request: FastifyRequest, reply: FastifyReply): void {
  if (error.retryAfter !== undefined) void reply.header('retry-after', error.retryAfter);
  const { code, message } = error;
  send(reply.code(error.status), request, { data: null, errors: [{ code, message }] });
}

function send(reply: FastifyReply, { id }: FastifyRequest, body: object): FastifyReply {
  return sendJson(reply.header('x-cap-requestid', id), body);
}
