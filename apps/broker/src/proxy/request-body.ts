import type { IncomingMessage } from 'node:http';
import { Problem } from '../problem';

/** What a caller sends: nothing, little enough to be sent twice, or a stream that is gone once it was sent. */
export type RequestBody =
  | { kind: 'none' }
  | { kind: 'whole'; bytes: Buffer }
  | { kind: 'stream'; stream: AsyncIterable<Buffer>; sized: boolean };

/** A body up to here is kept, so that the call can be repeated. */
const keptBytes = 64 * 1024;

/**
 * Reads what is small, and leaves the rest to whoever sends it on. What is longer than the limit is refused before it is
 * read where it says so itself, and else when it turns out to be.
 * @param over what is read ahead is not waited for any longer
 * @throws Problem
 */
export async function requestBody(
  request: IncomingMessage,
  limitBytes: number,
  over: AbortSignal,
): Promise<RequestBody> {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  if (encoding === undefined && (length === undefined || Number(length) === 0)) return { kind: 'none' };
  if (Number(length ?? 0) > limitBytes) throw tooLong(limitBytes);
  // Bytes that were read ahead belong to the stream as well.
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Buffer>;
  const ahead: Buffer[] = [];
  let bytes = 0;
  const tooLate = ended(over);
  while (Number(length ?? 0) <= keptBytes) {
    const next = chunks.next();
    next.catch(() => undefined);
    const { value, done } = await Promise.race([next, tooLate]);
    if (done) return { kind: 'whole', bytes: Buffer.concat(ahead) };
    ahead.push(value);
    bytes += value.length;
    if (bytes > keptBytes) break;
  }
  return { kind: 'stream', sized: length !== undefined, stream: rest(ahead, chunks, limitBytes) };
}

async function* rest(ahead: Buffer[], chunks: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  const counted = (chunk: Buffer): Buffer => {
    bytes += chunk.length;
    if (bytes > limitBytes) throw tooLong(limitBytes);
    return chunk;
  };
  while (ahead.length > 0) yield counted(ahead.shift()!);
  for await (const chunk of chunks) yield counted(chunk);
}

function ended(over: AbortSignal): Promise<never> {
  const late = new Promise<never>((_, reject) => {
    const end = (): void =>
      reject(
        new Problem('request_not_forwarded', 'The request is not forwarded: its body did not come in time.', {
          headers: { connection: 'close' },
        }),
      );
    if (over.aborted) end();
    else over.addEventListener('abort', end, { once: true });
  });
  late.catch(() => undefined);
  return late;
}

function tooLong(limitBytes: number): Problem {
  return new Problem('body_too_large', 'The body has more bytes than are forwarded.', {
    hint: `The limit is ${limitBytes} bytes (PROXY_MAX_BODY_BYTES).`,
    headers: { connection: 'close' },
  });
}
