import type { FastifyInstance, FastifyReply } from 'fastify';

/** RFC 6749 5.1. */
const neverStored = { 'cache-control': 'no-store', pragma: 'no-cache' };

/** What facades answer: JSON that nobody may keep. */
export function sendJson(reply: FastifyReply, body: object): FastifyReply {
  return reply.headers(neverStored).type('application/json; charset=utf-8').send(JSON.stringify(body));
}

/** Any other method than POST gets the error that is made for it, and hears which one there is. */
export function refuseOtherMethods(scope: FastifyInstance, url: string, refusal: () => Error): void {
  scope.route({
    method: ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
    url,
    exposeHeadRoute: false,
    onRequest: (_request, reply, done) => {
      void reply.header('allow', 'POST');
      done(refusal());
    },
    handler: () => undefined,
  });
}
