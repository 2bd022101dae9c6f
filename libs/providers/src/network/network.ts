import type { LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, unzip } from 'node:zlib';
import { Agent, type Dispatcher } from 'undici';
import type { Answer } from '../failures/condition';
import type { Method, ResponseKind } from '../language/definition';
import type { AllowedOrigins } from './address';
import { readBody } from './answer-body';
import { type AnswerCookie, readCookies } from './cookies';
import { type ClientTls, guardedConnector } from './connector';

export interface WireRequest {
  method: Method;
  url: URL;
  headers: Record<string, string>;
  body?: string;
  /** Of what kind the answer should be; JSON unless said otherwise. */
  response?: ResponseKind;
  /** Statuses besides 2xx whose answers are read as successes. */
  expectStatus?: readonly number[];
  tls?: ClientTls;
}

/** A provider's answer, read to its end. */
export interface WireAnswer extends Answer {
  cookies: Record<string, AnswerCookie>;
  /** Of what kind it was read as. */
  kind: ResponseKind;
  isSuccess: boolean;
}

/** The answer is not one that is read any further: too long, or encoded in a way that cannot be undone. */
export class AnswerRefused extends Error {
  override readonly name = 'AnswerRefused';

  constructor(
    message: string,
    readonly status: number,
    readonly headers: Record<string, string>,
  ) {
    super(message);
  }
}

export interface NetworkOptions {
  allowed: AllowedOrigins;
  connectMs: number;
  totalMs: number;
  /** For tests: stands in for the system's resolver. */
  lookup?: LookupFunction;
  /** For tests: where an origin is really reached. */
  route?: (origin: string) => string;
}

const maxBodyBytes = 65_536;
const maxHeaderBytes = 16_384;
const inflate = promisify(unzip);
const unbrotli = promisify(brotliDecompress);

/** One HTTP exchange at a time: guarded connection, no redirects, bounded answer. */
export class Network {
  readonly #shared: Agent;

  constructor(private readonly options: NetworkOptions) {
    this.#shared = this.#agent();
  }

  /** @throws AddressRefused, AnswerRefused, or whatever the connection failed with */
  async exchange(request: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    if (!request.tls) return exchangeWith(this.#shared, request, signal);
    // A connection with a certificate is its client's alone.
    const agent = this.#agent(request.tls);
    try {
      return await exchangeWith(agent, request, signal);
    } finally {
      await agent.destroy();
    }
  }

  #agent(tls?: ClientTls): Agent {
    const { connectMs, totalMs } = this.options;
    return new Agent({
      connect: guardedConnector({ ...this.options, timeoutMs: connectMs, ...(tls && { tls }) }),
      headersTimeout: totalMs,
      bodyTimeout: totalMs,
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: 4000,
    });
  }

  /** Waits for the requests under way. */
  close(): Promise<void> {
    return this.#shared.close();
  }
}

async function exchangeWith(agent: Agent, request: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
  const { method, url, headers, body, response: kind = 'json', expectStatus = [] } = request;
  const response = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method,
    headers,
    body: body ?? null,
    signal,
  });
  const answerHeaders = flatten(response.headers);
  const status = response.statusCode;
  const text = await readText(response, answerHeaders);
  const isSuccess = (status >= 200 && status < 300) || expectStatus.includes(status);
  return {
    status,
    headers: answerHeaders,
    cookies: readCookies(response.headers['set-cookie']),
    text,
    kind,
    isSuccess,
    body: readBody(text, kind, isSuccess),
  };
}

async function readText(response: Dispatcher.ResponseData, headers: Record<string, string>): Promise<string> {
  const tooLong = () =>
    new AnswerRefused(`the provider's answer is longer than ${maxBodyBytes} bytes`, response.statusCode, headers);
  const chunks: Buffer[] = [];
  let bytes = 0;
  // Leaving the loop early destroys the body, and with it the connection.
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBodyBytes) throw tooLong();
    chunks.push(chunk);
  }
  const raw = Buffer.concat(chunks);
  // We ask for no encoding; some providers compress all the same.
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (raw.length === 0 || encoding === 'identity' || encoding === '') return raw.toString('utf8');
  try {
    if (/^(x-)?gzip$|^deflate$/.test(encoding))
      return (await inflate(raw, { maxOutputLength: maxBodyBytes })).toString('utf8');
    if (encoding === 'br') return (await unbrotli(raw, { maxOutputLength: maxBodyBytes })).toString('utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLong();
    throw new AnswerRefused("the provider's answer cannot be decompressed", response.statusCode, headers);
  }
  throw new AnswerRefused("the provider's answer has an unknown content encoding", response.statusCode, headers);
}

function flatten(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  // No prototype: a header may be called __proto__.
  const flat = Object.create(null) as Record<string, string>;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}
