import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { ValidationError } from 'class-validator';
import { fastify, type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify';
import { isName } from './admin/name';
import { acceptYaml } from './admin/provider.body';
import type { Parts } from './app.module';
import { stripCertificate } from './auth/credentials';
import { registerFacades } from './facades/register';
import { Lane } from './lane/lane';
import { type Logger, nestLogger } from './logger';
import { serveOpenApi } from './openapi';
import { type FieldFault, pointerTo, Problem } from './problem';
import { sendProblem } from './problem.filter';
import { registerProxyRoute } from './proxy/proxy.route';
import { RequestIds } from './request-id';
import { TokenAnswers } from './tokens/token-answer';
import { registerRejectionsRoute } from './tokens/rejections.route';
import { registerTokenRoute } from './tokens/token.route';

const bodyLimitBytes = 64 * 1024;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const root = join(__dirname, ...Array<string>(4).fill('..'));

/** The HTTP server: Fastify, Nest's controllers on it, and the token route beside them. Listens to nothing yet. */
export async function createServer(parts: Parts): Promise<NestFastifyApplication> {
  const requestIds = new RequestIds();
  const instance = createFastify(parts.logger, requestIds);
  const header = parts.config.certificates?.header;
  if (header !== undefined) {
    instance.addHook('onRequest', (request, _reply, done) => {
      stripCertificate(request.raw, header, parts.proxies.trusts(request.raw.socket.remoteAddress ?? ''));
      done();
    });
  }
  const adapter = new FastifyAdapter(instance);
  const app = await NestFactory.create<NestFastifyApplication>(parts.module, adapter, {
    logger: nestLogger(parts.logger),
    bodyParser: false, // Fastify's own parser says what is wrong, Nest's hides it
  });
  app.useGlobalPipes(
    new ValidationPipe({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      stopAtFirstError: true,
      exceptionFactory: validationProblem,
    }),
  );
  if (parts.config.roles.has('serve')) openConsumersDoor(instance, parts, requestIds);
  const errors = readFileSync(join(root, 'docs', 'errors.md'), 'utf8');
  instance.get('/docs/errors.md', (_request, reply) => reply.type('text/markdown; charset=utf-8').send(errors));
  serveOpenApi(app);
  await app.init();
  return app;
}

/** All that services call, and the lane that answers most token requests ahead of their route. */
function openConsumersDoor(instance: FastifyInstance, parts: Parts, ids: RequestIds): void {
  const answers = new TokenAnswers(parts);
  registerTokenRoute(instance, answers);
  registerRejectionsRoute(instance, { ...parts, answers });
  registerProxyRoute(instance, { ...parts, answers });
  const { publicUrl } = parts.config;
  registerFacades(instance, { ...parts, answers, ...(publicUrl !== undefined && { publicUrl }) });
  const ending = (): boolean => parts.readiness.shuttingDown;
  const lane = new Lane(instance.server, { answers, ids, logger: parts.logger, ending });
  instance.addHook('preClose', (done) => {
    lane.close();
    done();
  });
}

/** For all that is not Nest's business: limits, ids, problems, the log. */
export function createFastify(logger: Logger, requestIds: RequestIds): FastifyInstance {
  const instance = fastify({
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    bodyLimit: bodyLimitBytes,
    routerOptions: { maxParamLength: 1_000 },
    frameworkErrors: (error, request, reply) => sendProblem(error, request, reply),
    requestTimeout: requestTimeoutMs,
    http: { headersTimeout: headersTimeoutMs },
    forceCloseConnections: 'idle',
    genReqId: (request) => requestIds.of(request.headers['x-request-id']),
  }) as unknown as FastifyInstance;
  instance.removeContentTypeParser('text/plain'); // JSON or nothing, but for definitions
  acceptYaml(instance);
  instance.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  instance.addHook('onResponse', (request, reply, done) => {
    logRequest(request, reply);
    done();
  });
  return instance;
}

/** One line a request, of fields that hold no secret; the token route only speaks up when something is wrong. */
function logRequest(request: FastifyRequest, reply: FastifyReply): void {
  const { quiet } = request.routeOptions.config as { quiet?: boolean };
  if (quiet && reply.statusCode < 400) return;
  const line = {
    method: request.method,
    route: request.routeOptions.url ?? 'unknown',
    params: namesIn(request.params),
    status: reply.statusCode,
    duration_ms: Math.round(reply.elapsedTime * 10) / 10,
    by: request.principal?.name,
  };
  const level = quiet || reply.statusCode < 400 ? 'debug' : 'info';
  request.log[request.method === 'GET' ? level : 'info'](line, 'request');
}

/** What stands in a path in place of a name may be a key that somebody put there, or belong to the API behind the proxy. */
function namesIn(params: unknown): Record<string, string> {
  return Object.fromEntries(
    Object.entries((params ?? {}) as Record<string, string>).map(([param, value]) => [
      param,
      isName(value) ? value : '[no name]',
    ]),
  );
}

function validationProblem(errors: ValidationError[]): Problem {
  const faults = errors.flatMap((error) => fieldFaults(error, ''));
  return new Problem('validation_failed', `The request has ${faults.length} fault(s).`, { errors: faults });
}

function fieldFaults({ property, constraints, children }: ValidationError, parent: string): FieldFault[] {
  const pointer = pointerTo(property, parent);
  const own = Object.entries(constraints ?? {}).map(([rule, detail]) => ({
    pointer,
    detail: rule === 'whitelistValidation' ? `there is no property "${property}"` : detail,
  }));
  return [...own, ...(children ?? []).flatMap((child) => fieldFaults(child, pointer))];
}
