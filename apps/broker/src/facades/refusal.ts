import type { FastifyRequest } from 'fastify';
import { answerTo, isOurs } from '../problem.filter';
import { problemTypes } from '../problem';

/** An error, with all that a facade needs to put it in the words of what it imitates. */
export interface Refusal {
  status: number;
  /** A sentence, or some. */
  detail: string;
  retryAfter: string | undefined;
}

/** Where an error says nothing of when to come back, though it passes. */
const usualRetryAfter = '1';

/** The cause of what is our fault goes to the log, here as everywhere. */
export function refusalOf(error: unknown, request: FastifyRequest): Refusal {
  const { code, detail, more, headers } = answerTo(error);
  const { status } = problemTypes[code];
  if (isOurs(code)) request.log.error({ err: error, code }, 'request failed');
  const retryAfter = headers?.['retry-after'] ?? (status === 503 || status === 429 ? usualRetryAfter : undefined);
  return { status, detail: more?.hint ? `${detail} ${more.hint}` : detail, retryAfter };
}
