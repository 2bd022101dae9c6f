import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServableToken, TokenService } from '#tokens';
import { isName } from '../admin/name';
import { type Authenticator, type Caller, credentialsOf } from '../auth/authenticator';
import type { Metrics } from '../ops/metrics';
import { invalid } from '../problem';
import { sendProblem } from '../problem.filter';
import { type Permitted, permitted } from './permitted';
import type { ReadObserver } from './token-answer';

/** A day: nothing that lives longer needs asking for so much. */
const maxMinTtlSeconds = 86_400;

interface PreparedReply {
  etag: string;
  beforeExpiresIn: string;
  afterExpiresIn: string;
}

type TokenRequest = FastifyRequest<{ Params: { name: string }; Querystring: { min_ttl?: unknown } }>;

/**
 * The consumers' door: `GET /v1/clients/{name}/token`. A raw Fastify route, since Nest's interceptors and pipes cost
 * more than all of it; a warm request touches neither database nor Redis.
 */
export function registerTokenRoute(
  fastify: FastifyInstance,
  {
    authenticator,
    tokens,
    metrics,
    reads,
  }: { authenticator: Authenticator; tokens: TokenService; metrics: Metrics; reads?: ReadObserver },
): void {
  // A token never changes, so neither does its reply, but for one number.
  const prepared = new WeakMap<ServableToken, PreparedReply>();

  fastify.get('/v1/clients/:name/token', { config: { quiet: true } }, (request: TokenRequest, reply) => {
    const caller = authenticator.identifyNow(credentialsOf(request.raw), lookedFor(request));
    if (caller === undefined) return identifyFirst(request, reply);
    return answer(caller, request, reply);
  });

  async function identifyFirst(request: TokenRequest, reply: FastifyReply): Promise<FastifyReply> {
    try {
      const caller = await authenticator.identify(credentialsOf(request.raw), lookedFor(request));
      return await answer(caller, request, reply);
    } catch (error) {
      return refuse(error, request, reply);
    }
  }

  function answer(
    caller: Caller | null,
    request: TokenRequest,
    reply: FastifyReply,
  ): FastifyReply | Promise<FastifyReply> {
    try {
      const allowed = permitted(caller, request.params.name);
      const { clientId } = allowed;
      const minTtlSeconds = minTtl(request.query.min_ttl);
      const token = tokens.peek(clientId, minTtlSeconds);
      if (token) return serve(token, 'hit', allowed, request, reply);
      return tokens
        .get(clientId, { minTtlSeconds })
        .then((found) => serve(found, 'miss', allowed, request, reply))
        .catch((error: unknown) => refuse(error, request, reply));
    } catch (error) {
      return refuse(error, request, reply);
    }
  }

  function serve(
    token: ServableToken,
    how: 'hit' | 'miss',
    { service, clientId }: Permitted,
    request: TokenRequest,
    reply: FastifyReply,
  ): FastifyReply {
    const { name: client } = request.params;
    const { generation } = token;
    reads?.note({ service: service.name, keyId: service.keyId, clientId, client, generation, at: Date.now() });
    let ready = prepared.get(token);
    if (!ready) {
      ready = prepare(token, request.params.name, tokens.expiresAt(token));
      // When a service is to come back for the next one changes with time.
      if (!token.singleLive) prepared.set(token, ready);
    }
    reply.header('cache-control', 'no-store').header('etag', ready.etag);
    if (matches(request.headers['if-none-match'], ready.etag)) {
      metrics.served('not_modified');
      return reply.code(304).send();
    }
    metrics.served(how);
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(ready.beforeExpiresIn + tokens.runwaySeconds(token) + ready.afterExpiresIn);
  }

  function refuse(error: unknown, request: TokenRequest, reply: FastifyReply): FastifyReply {
    metrics.served('refused');
    sendProblem(error, request, reply);
    return reply;
  }
}

/** What cannot be a name is looked for under no name: the key is checked all the same, and nothing found. */
function lookedFor({ params }: TokenRequest): string {
  return isName(params.name) ? params.name : '';
}

function minTtl(given: unknown): number {
  if (given === undefined) return 0;
  const seconds = typeof given === 'string' && /^\d{1,6}$/.test(given) ? Number(given) : NaN;
  if (seconds <= maxMinTtlSeconds) return seconds;
  throw invalid('/min_ttl', `min_ttl must be a whole number of seconds from 0 to ${maxMinTtlSeconds}`);
}

function prepare(token: ServableToken, client: string, expiresAt: number): PreparedReply {
  const head = { client, access_token: token.accessToken, token_type: token.tokenType };
  const { headers, scope, query, cookies, outputs } = token;
  const tail = { expires_at: new Date(expiresAt).toISOString(), headers, scope, query, cookies, outputs };
  return {
    etag: `"${token.generation}"`,
    beforeExpiresIn: `${JSON.stringify(head).slice(0, -1)},"expires_in":`,
    afterExpiresIn: `,${JSON.stringify(tail).slice(1)}`,
  };
}

/** RFC 9110 13.1.2, weak comparison. */
function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  return ifNoneMatch.split(',').some((part) => part.trim().replace(/^W\//, '') === etag || part.trim() === '*');
}
