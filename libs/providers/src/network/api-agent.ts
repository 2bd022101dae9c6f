import { Agent, type Dispatcher } from 'undici';
import { AllowedOrigins } from './address';
import { guardedConnector } from './connector';

/**
 * Connections to the APIs that tokens are for: apart from those to token endpoints, under the same guard. Follows no
 * redirects, and inflates nothing.
 * @param options.connections at most so many to each API at a time
 * @param options.bodyMs for how long an answer may pause
 */
export function createApiAgent(options: {
  allowedOrigins: readonly string[];
  connections: number;
  connectMs: number;
  headersMs: number;
  bodyMs: number;
}): Dispatcher {
  return new Agent({
    connect: guardedConnector({ allowed: new AllowedOrigins(options.allowedOrigins), timeoutMs: options.connectMs }),
    connections: options.connections,
    pipelining: 1,
    headersTimeout: options.headersMs,
    bodyTimeout: options.bodyMs,
    keepAliveTimeout: 4_000,
  });
}
