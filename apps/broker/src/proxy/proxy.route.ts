import { METHODS } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { credentialsOf } from '../auth/authenticator';
import { Problem } from '../problem';
import { sendProblem } from '../problem.filter';
import type { TokenAnswers } from '../tokens/token-answer';
import type { Call, Proxy, ProxyAnswer } from './proxy';
import { targetOf } from './target';

const nothing = Buffer.alloc(0);

type ProxyRequest = FastifyRequest<{ Params: { name: string } }>;

/**
 * `ANY /proxy/{name}/{path…}`: calls the client's API with the client's token. `tokenbroker-origin` in each answer says
 * whose it is: the API's, or the broker's.
 */
export function registerProxyRoute(
  fastify: FastifyInstance,
  { answers, proxy }: { answers: TokenAnswers; proxy: Proxy },
): void {
  void fastify.register(async (scope) => {
    // Bodies go through as they come.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    scope.setErrorHandler(sendProblem);
    scope.addHook('onRequest', (_request, reply, done) => {
      void reply.header('tokenbroker-origin', 'broker');
      done();
    });
    scope.addHook('onClose', () => proxy.close());
    for (const method of METHODS)
      if (method !== 'CONNECT' && !scope.supportedMethods.includes(method))
        scope.addHttpMethod(method, { hasBody: true });
    for (const path of ['/proxy/:name', '/proxy/:name/*'])
      scope.route({ method: scope.supportedMethods, url: path, config: { quiet: true }, handler: handle });
  });

  async function handle(request: ProxyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { name } = request.params;
    const gone = new AbortController();
    reply.raw.once('close', () => gone.abort());
    // Paths name customers, and the log is not the place for them.
    request.params = { name };
    const admitted = await answers.admit({ credentials: credentialsOf(request.raw), name });
    const { clientId, service } = admitted;
    request.principal = service;
    refuseWhatIsNoCall(request);
    const call: Call = {
      clientId,
      service: service.name,
      request: request.raw,
      target: targetOf(request.raw.url!),
      used: (token) => answers.used(admitted, token),
      gone: gone.signal,
    };
    const answer = await proxy.forward(call);
    reply.hijack();
    await passOn(answer, request, reply);
    return reply;
  }
}

function refuseWhatIsNoCall({ method, headers }: ProxyRequest): void {
  // An answer to TRACE is the request, with the token in it.
  if (method === 'TRACE')
    throw new Problem('method_not_allowed', 'TRACE is not forwarded.', { headers: { allow: 'any but TRACE' } });
  // An offer of HTTP/2, which some libraries make with each first request, may go unheard (RFC 9110 7.8).
  if (headers.upgrade !== undefined && headers.upgrade.trim().toLowerCase() !== 'h2c')
    throw new Problem(
      'upgrade_not_supported',
      'The connection cannot be upgraded to another protocol through the proxy.',
    );
}

/** The head at once, then the body as fast as the caller takes it; what breaks off there breaks off here. */
async function passOn(
  { status, headers, body, end }: ProxyAnswer,
  request: ProxyRequest,
  { raw }: FastifyReply,
): Promise<void> {
  const named = headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === 'x-request-id');
  try {
    raw.writeHead(status, named ? headers : [...headers, 'x-request-id', request.id]);
    // In place of flushHeaders(), which writes what is not ASCII in another encoding than it was read in.
    raw.write(nothing);
    await pipeline(Readable.from(body, { objectMode: false }), raw);
  } catch (error) {
    request.log.info({ err: error }, 'an answer that was passed on broke off');
    raw.destroy();
  } finally {
    end();
    // The API may have answered before it was sent all. The rest is in the way of the next request on the connection.
    if (!request.raw.readableEnded) request.raw.on('data', () => undefined).on('error', () => undefined);
  }
}
