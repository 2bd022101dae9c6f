import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance, type FastifyServerFactory } from 'fastify';
import { errorAnswer } from './answers';
import { BulkIssuer, type BulkOptions } from './bulk-issuer';
import { controlRoutes } from './control-routes';
import { ajvOptions } from './control-schemas';
import { resourceRoute } from './resource-route';
import { tokenRoute } from './token-route';
import { World } from './world';

export interface SimulatorOptions {
  /** 0 picks a free port. */
  port: number;
  host?: string;
  /** ms since 1970; decides every expiry and timestamp. Latency, by nature, passes in real time. */
  now?: () => number;
  /** Starts with the mode `cheap_tokens` on for every client: for benchmarks. */
  cheapTokens?: boolean;
  /** Token requests are answered ahead of everything else, whoever asks: for benchmarks with very many clients. */
  bulk?: BulkOptions;
}

export interface Simulator {
  /** The base URL, without a trailing slash. */
  url: string;
  /** Resolves once no socket is left; calls in progress are cut off. */
  close(): Promise<void>;
}

/** Fastify's own. */
const keepAliveMs = 72_000;

/** Starts a Capillary-shaped issuer and resource API, with its control API beside it. */
export async function startSimulator(options: SimulatorOptions): Promise<Simulator> {
  const host = options.host ?? '127.0.0.1';
  const world = new World(options.now ?? Date.now);
  if (options.cheapTokens) world.modes.replace({ cheap_tokens: {} });
  const bulk = options.bulk && new BulkIssuer(options.bulk, world.now);
  const app = Fastify({
    ...(bulk && { serverFactory: aheadOfFastify(bulk) }),
    // Silent and slow answers hold their sockets open: a shutdown must not wait for them.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 500 },
    ajv: { customOptions: ajvOptions },
  });
  await app.register((scope) => controlRoutes(scope, world, bulk), { prefix: '/_control' });
  await app.register(async (scope) => issuer(scope, world));
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ error: 'unknown_path', message: `there is no ${request.method} ${request.url}` }),
  );
  await app.listen({ port: options.port, host });
  const { port } = app.server.address() as AddressInfo;
  return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`, close: () => app.close() };
}

function aheadOfFastify(bulk: BulkIssuer): FastifyServerFactory<Server> {
  return (handle) => {
    const server = createServer((request, response) => {
      if (!bulk.takes(request, response)) handle(request, response);
    });
    server.keepAliveTimeout = keepAliveMs;
    return server;
  };
}

function issuer(app: FastifyInstance, world: World): void {
  // Bodies stay as they came: the route itself answers for a wrong content type, in Capillary's words.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('X-Cap-Requestid', crypto.randomUUID());
  });
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const status = error.statusCode ?? 500;
    return reply
      .code(status)
      .type('application/json')
      .send(errorAnswer(status, status, error.message).body);
  });
  tokenRoute(app, world);
  resourceRoute(app, world);
}
