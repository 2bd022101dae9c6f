import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { ServableToken } from '#tokens';
import { credentialsOf } from '../auth/authenticator';
import { sendProblem } from '../problem.filter';
import { LongPoll, waitSeconds } from './long-poll';
import { type Admitted, etagOf, matches, type TokenAnswers } from './token-answer';

type TokenRequest = FastifyRequest<{ Params: { name: string }; Querystring: { min_ttl?: unknown; wait?: unknown } }>;

/**
 * The consumers' door: `GET /v1/clients/{name}/token`. A raw Fastify route, since Nest's interceptors and pipes cost
 * more than all of it. What comes by the lane (lane/) does not come here.
 */
export function registerTokenRoute(
  fastify: FastifyInstance,
  answers: TokenAnswers,
  longPoll = new LongPoll(answers),
): void {
  fastify.get('/v1/clients/:name/token', { config: { quiet: true } }, async (request: TokenRequest, reply) => {
    const { min_ttl: minTtl, wait } = request.query;
    const question = { credentials: credentialsOf(request.raw), name: request.params.name, minTtl };
    const ifNoneMatch = request.headers['if-none-match'];
    try {
      let admitted = await answers.admit(question);
      const seconds = waitSeconds(wait);
      const peeked = answers.peek(admitted);
      let token = peeked ?? (await answers.get(admitted));
      if (seconds > 0 && matches(ifNoneMatch, token)) {
        const onGone = (gone: () => void): void =>
          // He may have left while the token was fetched.
          reply.raw.destroyed ? gone() : void reply.raw.once('close', gone);
        const waiting = { question, ifNoneMatch: ifNoneMatch!, seconds, onGone };
        ({ admitted, token } = await longPoll.next(waiting, { admitted, token }));
        if (reply.raw.destroyed) return reply.hijack();
        if (longPoll.ending) void reply.header('connection', 'close');
      }
      return serve(admitted, token, peeked ? 'hit' : 'miss', request, reply);
    } catch (error) {
      answers.countRefusal();
      sendProblem(error, request, reply);
      return reply;
    }
  });

  fastify.addHook('preClose', (done) => {
    longPoll.end();
    done();
  });

  function serve(
    admitted: Admitted,
    token: ServableToken,
    how: 'hit' | 'miss',
    request: TokenRequest,
    reply: FastifyReply,
  ): FastifyReply {
    reply.header('cache-control', 'no-store').header('etag', etagOf(token));
    if (matches(request.headers['if-none-match'], token)) {
      answers.served(admitted, token, 'not_modified');
      return reply.code(304).send();
    }
    answers.served(admitted, token, how);
    return reply
      .header('content-type', 'application/json; charset=utf-8')
      .send(answers.body(token, admitted.name, answers.expiresIn(token)));
  }
}
