import { STATUS_CODES } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { FastifyReply } from 'fastify';
import { errorAnswer, htmlAnswer, type Answer } from './answers';
import type { AnswerModes, RetryAfterForm } from './mode-catalogue';
import type { ActiveModes } from './mode-set';

const bombBytes = 64 * 1024 * 1024;
let bombTail: Buffer | undefined;

/**
 * Plays the modes that come in place of a proper answer, in this order, and resolves to the name of the one played;
 * undefined when none is on and the proper answer is due.
 */
export async function interrupt(
  modes: ActiveModes<AnswerModes>,
  reply: FastifyReply,
  now: () => number,
): Promise<keyof AnswerModes | undefined> {
  const latency = modes.take('latency_ms');
  // Unreferenced: a slow answer must not keep a process alive that is shutting down.
  if (latency) await wait(latency.value, undefined, { ref: false });
  if (modes.take('silence')) {
    reply.hijack();
    return 'silence';
  }
  if (modes.take('reset_before_headers')) {
    reset(reply);
    return 'reset_before_headers';
  }
  const outage = modes.take('outage');
  if (outage) {
    send(reply, outageAnswer(outage.status ?? 503, outage.body ?? 'json'));
    return 'outage';
  }
  const throttle = modes.take('throttle');
  if (throttle) {
    const headers = retryAfter(throttle.retry_after ?? 'seconds', throttle.seconds ?? 30, now());
    send(reply, { ...errorAnswer(throttle.status ?? 429, 429, 'Too many requests'), headers });
    return 'throttle';
  }
  if (modes.take('html_200')) {
    send(reply, htmlAnswer(200, 'Scheduled maintenance'));
    return 'html_200';
  }
  if (modes.take('empty_200')) {
    send(reply, { status: 200, body: '' });
    return 'empty_200';
  }
  const errors = modes.take('errors_in_200');
  if (errors) {
    send(reply, errorAnswer(200, errors.code ?? 500, errors.message ?? 'Something went wrong'));
    return 'errors_in_200';
  }
  return undefined;
}

/** Sends a proper answer, disfigured as the modes say; resolves to the disfigurement's name, if any. */
export async function deliver(
  modes: ActiveModes<AnswerModes>,
  reply: FastifyReply,
  answer: Answer,
): Promise<string | undefined> {
  const wrongType = modes.take('wrong_content_type');
  const headers = headersOf(wrongType ? { ...answer, contentType: wrongType.value ?? 'text/plain' } : answer);
  const disfigured = disfigure(modes, answer.body);
  if (disfigured?.how === 'gzip_bomb') headers['content-encoding'] = 'gzip';
  const body = disfigured?.body ?? Buffer.from(answer.body);

  const cut = modes.take('reset_after_headers');
  const slow = cut ? undefined : modes.take('slow_body_ms');
  if (cut || slow) await sendInHalves(reply, answer.status, headers, body, slow?.value);
  else reply.code(answer.status).headers(headers).send(body);
  if (cut) return 'reset_after_headers';
  return disfigured?.how ?? (wrongType && 'wrong_content_type');
}

/** Ends the connection with a TCP reset, no headers sent. */
export function reset(reply: FastifyReply): void {
  reply.hijack();
  reply.raw.socket?.resetAndDestroy();
}

function send(reply: FastifyReply, answer: Answer): void {
  reply.code(answer.status).headers(headersOf(answer)).send(Buffer.from(answer.body));
}

function headersOf(answer: Answer): Record<string, string> {
  return { ...answer.headers, 'content-type': answer.contentType ?? 'application/json;charset=UTF-8' };
}

function disfigure(modes: ActiveModes<AnswerModes>, text: string): { how: string; body: Buffer } | undefined {
  const body = Buffer.from(text);
  if (modes.take('truncated')) return { how: 'truncated', body: body.subarray(0, body.length / 2) };
  const oversized = modes.take('oversized');
  // Padded with white space it stays valid JSON: only a limit on size can refuse it, and so can be tested.
  if (oversized)
    return { how: 'oversized', body: Buffer.concat([body, Buffer.alloc(oversized.bytes ?? 1 << 20, ' ')]) };
  if (modes.take('gzip_bomb')) {
    // A gzip stream may have several members, so one prepared tail of 64 MB of spaces serves every answer.
    bombTail ??= gzipSync(Buffer.alloc(bombBytes, ' '));
    return { how: 'gzip_bomb', body: Buffer.concat([gzipSync(body), bombTail]) };
  }
  return undefined;
}

/** Headers and half of the body, then a pause and the rest, or (no pause given) a cut connection. */
async function sendInHalves(
  reply: FastifyReply,
  status: number,
  headers: Record<string, string>,
  body: Buffer,
  pauseMs: number | undefined,
): Promise<void> {
  const set = reply.getHeaders() as Record<string, string>;
  reply.hijack();
  reply.raw.writeHead(status, { ...set, ...headers, 'content-length': body.length });
  const half = body.subarray(0, body.length / 2);
  await new Promise<void>((flushed) => reply.raw.write(half, () => flushed()));
  // A plain close, since a reset could overtake the headers and turn this into a reset before them.
  if (pauseMs === undefined) return void reply.raw.socket?.destroy();
  await wait(pauseMs, undefined, { ref: false });
  reply.raw.end(body.subarray(half.length));
}

function outageAnswer(status: number, body: 'json' | 'html'): Answer {
  const words = STATUS_CODES[status] ?? 'Error';
  return body === 'html' ? htmlAnswer(status, `${status} ${words}`) : errorAnswer(status, status, words);
}

function retryAfter(form: RetryAfterForm, seconds: number, now: number): Record<string, string> {
  const values: Record<RetryAfterForm, string | undefined> = {
    seconds: String(seconds),
    http_date: new Date(now + seconds * 1000).toUTCString(),
    absent: undefined,
    absurd: '31536000000',
    nonsense: 'soon',
  };
  const value = values[form];
  return value === undefined ? {} : { 'retry-after': value };
}
