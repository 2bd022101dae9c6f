import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { brotliDecompress, unzip } from 'node:zlib';

/** An answer that is longer, or takes longer, is no short refusal: it goes on unread. */
const looksAtBytes = 64 * 1024;
const looksForMs = 2_000;
const inflate = promisify(unzip);
const unbrotli = promisify(brotliDecompress);

/** The beginning of an answer, read; and a stream of all of it, as if nobody had looked. */
export interface Looked {
  /** The whole of it as text; absent where it is too long, or no text. */
  text?: string;
  all: AsyncIterable<Buffer>;
}

/** Whether an answer may hold a refusal in a few words. */
export function isWorthReading({
  'content-type': type = '',
  'content-length': length = '0',
}: Record<string, string>): boolean {
  return (
    /^\s*(application\/([\w.+-]+\+)?(json|xml)|text\/(json|xml|plain|html))\s*(;|$)/i.test(type) &&
    Number(length) <= looksAtBytes
  );
}

export async function lookInto(body: Readable, encoding: string | undefined): Promise<Looked> {
  const chunks = body.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const ahead: Buffer[] = [];
  const late = new AbortController();
  const tooLate = delay(looksForMs, undefined, { signal: late.signal, ref: false }).catch(() => undefined);
  let next: Promise<IteratorResult<Buffer>> | undefined;
  try {
    for (let bytes = 0; bytes <= looksAtBytes;) {
      next = chunks.next();
      next.catch(() => undefined); // whoever takes it from the stream is told
      const result = await Promise.race([next, tooLate]);
      if (result === undefined) return { all: following(ahead, chunks, next) };
      next = undefined;
      if (result.done) {
        const text = await decoded(Buffer.concat(ahead), encoding);
        return { all: following(ahead, chunks), ...(text !== undefined && { text }) };
      }
      ahead.push(result.value);
      bytes += result.value.length;
    }
    return { all: following(ahead, chunks) };
  } finally {
    late.abort();
  }
}

async function* following(
  ahead: Buffer[],
  chunks: AsyncIterable<Buffer>,
  next?: Promise<IteratorResult<Buffer>>,
): AsyncGenerator<Buffer> {
  while (ahead.length > 0) yield ahead.shift()!;
  const result = await next;
  if (result?.done) return;
  if (result) yield result.value;
  yield* chunks;
}

/** The caller asked for the encoding; what it is sent stays encoded. */
async function decoded(bytes: Buffer, encoding = 'identity'): Promise<string | undefined> {
  const options = { maxOutputLength: 4 * looksAtBytes };
  try {
    if (/^(identity)?$/i.test(encoding.trim())) return bytes.toString('utf8');
    if (/^((x-)?gzip|deflate)$/i.test(encoding.trim())) return (await inflate(bytes, options)).toString('utf8');
    if (/^br$/i.test(encoding.trim())) return (await unbrotli(bytes, options)).toString('utf8');
  } catch {
    // Longer than a refusal is, or not what it says it is.
  }
  return undefined;
}
