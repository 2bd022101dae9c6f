import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { AnswerBytes } from './answer-bytes';
import { LaneConnection, type LaneParts } from './lane-connection';

/** Connections are looked through this often for those that nobody uses. */
const sweepMs = 1_000;
/** Who has asked so lately will ask again at once, and gets so long to do it: that answer tells him to go elsewhere. */
const lastAnswerMs = { usedWithin: 1_000, grace: 250 };

/**
 * A lane beside the HTTP server, on its port, for token requests alone. Node's parser, its request and response objects
 * and Fastify cost several times what the answer does; so the lane looks at a connection's bytes first, and answers on
 * the spot what is one plain request for a token. Any other connection is the HTTP server's from then on, which never
 * knows that somebody looked (docs/decisions/0021-a-lane.md).
 */
export class Lane {
  readonly #connections = new Set<LaneConnection>();
  #closed = false;

  constructor(
    private readonly server: Server,
    { answers, ids, logger, ending }: Pick<LaneParts, 'answers' | 'ids' | 'logger' | 'ending'>,
  ) {
    const listeners = server.listeners('connection');
    const handOver = (socket: Socket): void => {
      for (const listener of listeners) Reflect.apply(listener, server, [socket]);
    };
    const bytes = new AnswerBytes(answers, ids, () => Math.floor(server.keepAliveTimeout / 1_000));
    const parts: LaneParts = { answers, bytes, ids, logger, handOver, ending: () => this.#closed || ending() };
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      if (this.#closed) return handOver(socket);
      const connection = new LaneConnection(socket, parts, () => this.#connections.delete(connection));
      this.#connections.add(connection);
    });
    const sweep = setInterval(() => this.#sweep(), sweepMs).unref();
    server.once('close', () => clearInterval(sweep));
  }

  /**
   * Closes the connections on which nothing is under way, at once or in a moment; the others close with their answers.
   * A connection that is closed between two requests may cost the second one, which is on its way already.
   */
  close(): void {
    this.#closed = true;
    const { usedWithin, grace } = lastAnswerMs;
    this.#closeIdle(performance.now() - usedWithin);
    setTimeout(() => this.#closeIdle(), grace).unref();
  }

  #closeIdle(unlessUsedSince = Infinity): void {
    for (const connection of this.#connections) connection.closeIfIdle(unlessUsedSince);
  }

  #sweep(): void {
    const { keepAliveTimeout, headersTimeout } = this.server;
    const now = performance.now();
    for (const connection of this.#connections) connection.closeIfForgotten(now, keepAliveTimeout, headersTimeout);
  }
}
