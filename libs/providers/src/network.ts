import type { LookupFunction } from 'node:net';
import { promisify } from 'node:util';
import { brotliDecompress, unzip } from 'node:zlib';
import { Agent, type Dispatcher } from 'undici';
import type { AllowedOrigins } from './address';
import type { Answer } from './condition';
import { guardedConnector } from './connector';

export interface WireRequest {
  method: 'GET' | 'POST' | 'PUT';
  url: URL;
  headers: Record<string, string>;
  body?: string;
}

/** A provider's answer, read to its end. */
export interface WireAnswer extends Answer {
  headers: Record<string, string>;
  text: string;
  /** JSON value of the text; undefined when it is not JSON. */
  body: unknown;
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

const maxBodyBytes = 65_536;
const maxHeaderBytes = 16_384;
const inflate = promisify(unzip);
const unbrotli = promisify(brotliDecompress);

/** One HTTP exchange at a time: guarded connection, no redirects, bounded answer. */
export class Network {
  readonly #agent: Agent;

  constructor(options: {
    allowed: AllowedOrigins;
    connectMs: number;
    totalMs: number;
    /** For tests: stands in for the system's resolver. */
    lookup?: LookupFunction;
  }) {
    this.#agent = new Agent({
      connect: guardedConnector(options.allowed, options.connectMs, options.lookup),
      headersTimeout: options.totalMs,
      bodyTimeout: options.totalMs,
      maxHeaderSize: maxHeaderBytes,
      keepAliveTimeout: 4000,
    });
  }

  /** @throws AddressRefused, AnswerRefused, or whatever the connection failed with */
  async exchange({ method, url, headers, body }: WireRequest, signal: AbortSignal): Promise<WireAnswer> {
    const response = await this.#agent.request({
      origin: url.origin,
      path: url.pathname + url.search,
      method,
      headers,
      body: body ?? null,
      signal,
    });
    const answerHeaders = flatten(response.headers);
    const text = await readText(response, answerHeaders);
    return { status: response.statusCode, headers: answerHeaders, text, body: parseJson(text) };
  }

  /** Waits for the requests under way. */
  close(): Promise<void> {
    return this.#agent.close();
  }
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}
