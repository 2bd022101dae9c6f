import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { InvalidDefinition, ProviderError } from '#providers';
import { isDatabaseUnavailable, UnknownProvider } from '#registry';
import { TokenUnavailable } from '#tokens';
import { CannotOpen } from '#vault';
import { type ErrorCode, Problem, problemBody, problemTypes } from './problem';

/** What an error comes to, before it is put into any form. */
interface Answer {
  code: ErrorCode;
  detail: string;
  more?: Parameters<typeof problemBody>[3];
  headers?: Record<string, string>;
}

/** Every error leaves as application/problem+json (RFC 9457); its cause goes to the log and nowhere else. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    sendProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>());
  }
}

export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, headers, body, code, ours } = problemAnswer(error, request.id);
  if (ours) request.log.error({ err: error, code }, 'request failed');
  void reply.code(status).headers(headers).send(body);
}

export interface ProblemAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  code: ErrorCode;
  /** See `isOurs`. */
  ours: boolean;
}

/** Also what callers can bring about at will, by asking for more than there is room for: it must not fill the log. */
const othersFault: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'issuer_unavailable',
  'proxy_busy',
  'stream_unavailable',
  'token_unavailable',
  'too_many_waiting',
  'upgrade_not_supported',
  'upstream_timeout',
  'upstream_unreachable',
]);

/** Whether it is our fault, or a part's that we lean on: then its cause belongs into the log. */
export function isOurs(code: ErrorCode): boolean {
  return problemTypes[code].status >= 500 && !othersFault.has(code);
}

/** For those who write answers themselves. */
export function problemAnswer(error: unknown, requestId: string): ProblemAnswer {
  const { code, detail, more, headers } = answerTo(error);
  const body = problemBody(code, detail, requestId, more);
  return {
    status: body.status,
    headers: { 'cache-control': 'no-store', ...headers, 'content-type': 'application/problem+json; charset=utf-8' },
    body: JSON.stringify(body),
    code,
    ours: isOurs(code),
  };
}

export function answerTo(error: unknown): Answer {
  if (error instanceof Problem) {
    const { headers, ...more } = error.more;
    return { code: error.code, detail: error.message, more, ...(headers && { headers }) };
  }
  if (error instanceof TokenUnavailable) return tokenUnavailable(error);
  if (error instanceof ProviderError) return providerError(error);
  if (error instanceof UnknownProvider) {
    const hint = error.known.length > 0 ? `Known are: ${error.known.join(', ')}.` : undefined;
    const pointer = error.version === undefined ? '/provider' : '/provider_version';
    const errors = [{ pointer, detail: error.message }];
    return { code: error.code, detail: sentence(error.message), more: { errors, ...(hint && { hint }) } };
  }
  if (error instanceof InvalidDefinition) {
    const errors = [...error.faults];
    return { code: error.code, detail: `The definition has ${errors.length} fault(s).`, more: { errors } };
  }
  if (error instanceof CannotOpen) {
    return { code: error.code, detail: sentence(error.message), more: { hint: error.hint } };
  }
  if (isDatabaseUnavailable(error))
    return { code: 'database_unavailable', detail: 'The database cannot be reached just now.' };
  // PostgreSQL: a row that another row needs, or that a statement names, was deleted meanwhile.
  if (['P2003', 'P2025'].includes(String((error as { code?: unknown })?.code))) {
    return { code: 'not_found', detail: 'Something that the request names was deleted meanwhile.' };
  }
  // Fastify's own RangeErrors have a status, and are told below.
  if (error instanceof RangeError && !('statusCode' in error))
    return { code: 'validation_failed', detail: 'The body is nested too deeply.' };
  const known = errorCode(error);
  if (known) return { code: known, detail: sentence((error as Error).message) };
  return fromFramework(error) ?? { code: 'internal', detail: 'The request could not be carried out.' };
}

function tokenUnavailable({ reason, message, retryAfterSeconds, lastFailure }: TokenUnavailable): Answer {
  const words = lastFailure?.providerWords;
  return {
    code: 'token_unavailable',
    detail: sentence(message),
    more: { hint: lastFailure?.hint, reason, ...(words && { provider_words: words }) },
    headers: { 'retry-after': String(retryAfterSeconds) },
  };
}

function providerError({ code, failure }: ProviderError): Answer {
  const { message, hint, providerWords, providerStatus, providerRequestId, retryAfterSeconds } = failure;
  return {
    code,
    detail: sentence(message),
    more: {
      hint,
      ...(providerWords && { provider_words: providerWords }),
      ...(providerStatus && { provider_status: providerStatus }),
      ...(providerRequestId && { provider_request_id: providerRequestId }),
    },
    ...(retryAfterSeconds !== undefined && { headers: { 'retry-after': String(Math.ceil(retryAfterSeconds)) } }),
  };
}

/** The libs' own errors carry one of our codes; those of libraries carry others. */
function errorCode(error: unknown): ErrorCode | undefined {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === 'string' && Object.hasOwn(problemTypes, code) ? (code as ErrorCode) : undefined;
}

/** What Fastify and Nest refuse before any handler of ours is reached. */
function fromFramework(error: unknown): Answer | undefined {
  const { statusCode } = (error ?? {}) as { statusCode?: number };
  const status = error instanceof HttpException ? error.getStatus() : statusCode;
  if (status === 413) return { code: 'body_too_large', detail: 'The body has more bytes than are accepted.' };
  if (status === 415)
    return { code: 'unsupported_media_type', detail: 'The Content-Type is missing, or not one that this route takes.' };
  if (status === 404) return { code: 'not_found', detail: 'There is no such route.' };
  // Nest hides Fastify's error codes, not its words.
  if (status === 400 && /^Body (is not valid JSON|cannot be empty)/.test((error as Error).message)) {
    return { code: 'malformed_json', detail: 'The body could not be parsed as JSON.' };
  }
  if (status !== undefined && status >= 400 && status < 500) {
    return { code: 'validation_failed', detail: sentence((error as Error).message) };
  }
  return undefined;
}

function sentence(text: string): string {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
