import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { fastify, type FastifyReply, type FastifyRequest } from 'fastify';
import { isDatabaseUnavailable } from '#registry';
import type { Logger } from './logger';
import { Problem } from './problem';
import { sendProblem } from './problem.filter';

/** A database that answers does so by then; migrations may take longer, and whoever probes shall hear something. */
const quietStartMs = 2_000;
const sayAgainMs = 30_000;
const unasked = 'not asked yet';

interface Place {
  port: number;
  host: string;
}

interface Room {
  url: string;
  port: number;
  close(): Promise<void>;
}

/**
 * Opens what needs the database, again and again until it answers. Meanwhile the port is open, and whoever asks is told
 * that the process lives and is not ready.
 * @returns what was opened, and the port that it shall be served on
 * @throws any fault that waiting does not mend
 */
export async function openPatiently<T>(
  open: () => Promise<T>,
  place: Place,
  { database, logger }: { database: string; logger: Logger },
): Promise<{ opened: T; port: number }> {
  const state = { database: unasked };
  let room: Promise<Room> | undefined;
  const enter = (): Promise<Room> => (room ??= openRoom(place, state, logger));
  const slow = setTimeout(() => void enter().catch(() => undefined), quietStartMs);
  try {
    let saidAt = -Infinity;
    for (;;) {
      try {
        const opened = await open();
        const { port } = (await room) ?? place;
        if (saidAt > 0) logger.info({ database }, 'the database answers');
        return { opened, port };
      } catch (error) {
        if (!isDatabaseUnavailable(error)) throw error;
        state.database = 'does not answer';
        const { url } = await enter();
        if (performance.now() - saidAt >= sayAgainMs) {
          saidAt = performance.now();
          logger.warn(
            { url, database },
            'waiting for the database, which cannot be reached; trying again until it can',
          );
        }
        // Replicas that wait together do not all come back in the same moment.
        await delay(1_000 * (0.5 + Math.random()));
      }
    }
  } finally {
    clearTimeout(slow);
    await (await room)?.close();
  }
}

async function openRoom({ port, host }: Place, state: { database: string }, logger: Logger): Promise<Room> {
  const turnAway = (request: FastifyRequest, reply: FastifyReply): void => {
    // The next request shall meet the broker itself.
    void reply.header('connection', 'close');
    sendProblem(waiting(), request, reply);
  };
  const server = fastify({
    forceCloseConnections: true,
    frameworkErrors: (_error, request, reply) => turnAway(request as FastifyRequest, reply as FastifyReply),
  });
  server.addHook('onRequest', (request, reply, done) => {
    // Before its body is read: what is in there does not matter now.
    if (request.is404) return turnAway(request, reply);
    void reply.headers({ connection: 'close', 'cache-control': 'no-store' });
    done();
  });
  server.get('/health/live', () => ({ status: 'ok' }));
  server.get('/health/ready', (_request, reply) => {
    const checks = { database: state.database, migrations: unasked, token_store: unasked, keys: unasked };
    return reply.code(503).send({ status: 'not_ready', checks: { ...checks, shutdown: 'ok' } });
  });
  await server.listen({ port, host });
  const address = server.server.address() as AddressInfo;
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  logger.debug({ port: address.port }, 'not ready yet');
  return { url: `http://${shown}:${address.port}`, port: address.port, close: () => server.close() };
}

function waiting(): Problem {
  return new Problem('database_unavailable', 'The broker has just been started and waits for its database.', {
    hint: 'It serves as soon as the database answers; other replicas may serve now.',
    headers: { 'retry-after': '1' },
  });
}
