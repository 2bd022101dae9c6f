import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { TokenService } from '#tokens';
import { credentialsOf } from '../auth/authenticator';
import { invalid, pointerTo, Problem } from '../problem';
import { sendProblem } from '../problem.filter';
import type { TokenAnswers } from './token-answer';

/** As the token route gives it, quoted or not, weak or not. */
const etagPattern = /^(?:W\/)?(?:"(\d{1,20})"|(\d{1,20}))$/;

type RejectionRequest = FastifyRequest<{ Params: { name: string } }>;

/** `POST /v1/clients/{name}/token/rejections`: the provider refuses the token that a service got. */
export function registerRejectionsRoute(
  fastify: FastifyInstance,
  { answers, tokens }: { answers: TokenAnswers; tokens: TokenService },
): void {
  void fastify.register(async (scope) => {
    scope.setErrorHandler(sendProblem);
    scope.post('/v1/clients/:name/token/rejections', async (request: RejectionRequest, reply) => {
      const { name } = request.params;
      const { clientId, service } = await answers.admit({ credentials: credentialsOf(request.raw), name });
      request.principal = service;
      const generation = generationIn(request.body);
      const { renewal, retryAfterSeconds } = await tokens.reject(clientId, generation, service.name);
      if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
      return reply
        .code(202)
        .header('cache-control', 'no-store')
        .send({ renewal, ...(retryAfterSeconds !== undefined && { retry_after: retryAfterSeconds }) });
    });
  });
}

/** @throws Problem */
function generationIn(body: unknown): string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw new Problem('validation_failed', 'The body must be an object such as {"etag": "\\"42\\""}.');
  const unknown = Object.keys(body).find((property) => property !== 'etag');
  if (unknown !== undefined) throw invalid(pointerTo(unknown), 'there is no such property; the only one is etag');
  const { etag } = body as { etag?: unknown };
  const [, quoted, bare] = (typeof etag === 'string' && etagPattern.exec(etag)) || [];
  const generation = quoted ?? bare;
  if (generation === undefined) throw invalid('/etag', 'etag must be the ETag that came with the token');
  return generation;
}
