import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';

export type { Logger };

/** Structured logs on standard output. What is logged is chosen field by field; the rest is belt and braces. */
export function createLogger(level: string): Logger {
  return pino({
    level,
    base: { name: 'token-broker', pid: process.pid },
    redact: { paths: ['authorization', '*.authorization', '*.secret', '*.key', '*.access_token'], censor: '[secret]' },
    serializers: { err: describeError },
  });
}

/** Type, message, code and causes; never the other properties, for libraries hang requests and rows on their errors. */
function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' && { code }),
    stack: error.stack,
    ...(error.cause !== undefined && { cause: describeError(error.cause) }),
  };
}

/** Nest's own words, through the same log. Its boot chatter is for debugging. */
export function nestLogger(logger: Logger): LoggerService {
  const say =
    (level: 'debug' | 'warn' | 'error') =>
    (message: unknown, ...rest: unknown[]): void => {
      const err = [message, ...rest].find((part) => part instanceof Error);
      logger[level]({ context: rest.at(-1), ...(err instanceof Error && { err }) }, String(message));
    };
  return { log: say('debug'), debug: say('debug'), verbose: say('debug'), warn: say('warn'), error: say('error') };
}
