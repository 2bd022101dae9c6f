import { STATUS_CODES } from 'node:http';
import type { ServableToken } from '#tokens';
import type { RequestIds } from '../request-id';
import { etagOf, type TokenAnswers } from '../tokens/token-answer';
import { Prepared } from './prepared';

/** An answer that is sent again and again, with what differs each time written into its place. */
interface Frame {
  token: ServableToken;
  bytes: Buffer;
  /** Of the `Date` that stands in it. */
  second: number;
  /** What stands in it; 304 tells none. */
  expiresIn?: number;
  idAt: number;
  dateAt: number;
  expiresInAt?: number;
}

type Headers = Record<string, string>;

/** What is sent: as text where each of its characters is one byte, since that goes out without being copied first. */
export type Bytes = Buffer | string;
export const encoding = 'latin1';

/** Answers as Fastify and Node would write them: the same headers, in the same order. */
export class AnswerBytes {
  readonly #tokens = new Prepared<Frame>();
  readonly #notModified = new Prepared<Frame>();
  #second = 0;
  #date = '';

  constructor(
    private readonly answers: TokenAnswers,
    private readonly ids: RequestIds,
    private readonly keepAliveSeconds: () => number,
  ) {}

  /**
   * The token, on a connection that stays open. The bytes may be those of the next such answer too: whoever cannot write
   * them at once calls `letGo`.
   */
  token(token: ServableToken, client: string): Bytes {
    const expiresIn = this.answers.expiresIn(token);
    const second = this.#now();
    let frame = this.#tokens.of(token);
    if (!frame || !this.#bring(frame, second, expiresIn)) {
      // With a single live token more of it changes with time.
      const isKept = !token.singleLive && this.#tokens.isWorth(token);
      if (!isKept) return this.tokenOnce(token, client);
      frame = this.#tokenFrame(token, client, second, expiresIn);
      this.#tokens.keep(frame);
    }
    this.ids.stamp(frame.bytes, frame.idAt);
    return frame.bytes;
  }

  /** The same for 304. */
  notModified(token: ServableToken): Bytes {
    const second = this.#now();
    let frame = this.#notModified.of(token);
    if (!frame || !this.#bring(frame, second)) {
      if (!this.#notModified.isWorth(token)) return this.notModifiedOnce(token);
      const head = this.#head(304, this.ids.next(), tokenLines(token));
      frame = { token, bytes: exactly(head), second, ...this.#places(head) };
      this.#notModified.keep(frame);
    }
    this.ids.stamp(frame.bytes, frame.idAt);
    return frame.bytes;
  }

  letGo(token: ServableToken): void {
    this.#tokens.letGo(token);
    this.#notModified.letGo(token);
  }

  /** The token, where nothing is kept for it, the connection is to end, or the request brought its own id. */
  tokenOnce(token: ServableToken, client: string, close = false, requestId = this.ids.next()): Bytes {
    const body = this.answers.body(token, client, this.answers.expiresIn(token));
    return this.#once(200, tokenLines(token) + jsonLine, body, requestId, close);
  }

  notModifiedOnce(token: ServableToken, close = false, requestId = this.ids.next()): Bytes {
    this.#now();
    return this.#head(304, requestId, tokenLines(token), undefined, close);
  }

  refusal(status: number, headers: Headers, body: string, requestId: string, close: boolean): Bytes {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return this.#once(status, lines.join(''), body, requestId, close);
  }

  #once(status: number, lines: string, body: string, requestId: string, close: boolean): Bytes {
    this.#now();
    // Most are ASCII. To look at the whole puts it together in memory, which has to be done anyway.
    const text = this.#head(status, requestId, lines, body.length, close) + body;
    if (Buffer.byteLength(text) === text.length) return text;
    return Buffer.from(this.#head(status, requestId, lines, Buffer.byteLength(body), close) + body);
  }

  #tokenFrame(token: ServableToken, client: string, second: number, expiresIn: number): Frame {
    const body = this.answers.body(token, client, expiresIn);
    const head = this.#head(200, this.ids.next(), tokenLines(token) + jsonLine, Buffer.byteLength(body));
    const before = body.slice(0, body.indexOf(expiresInKey) + expiresInKey.length);
    const expiresInAt = head.length + Buffer.byteLength(before);
    return { token, bytes: exactly(head + body), second, expiresIn, expiresInAt, ...this.#places(head) };
  }

  /** Up to date; false: a number has got shorter, and all that comes after it is somewhere else. */
  #bring(frame: Frame, second: number, expiresIn?: number): boolean {
    if (frame.expiresIn !== expiresIn) {
      const digits = String(expiresIn);
      if (digits.length !== String(frame.expiresIn).length) return false;
      frame.bytes.write(digits, frame.expiresInAt!, 'latin1');
      frame.expiresIn = expiresIn!;
    }
    if (frame.second !== second) {
      frame.bytes.write(this.#date, frame.dateAt, 'latin1');
      frame.second = second;
    }
    return true;
  }

  #head(status: number, requestId: string, lines: string, contentLength?: number, close = false): string {
    const length = contentLength === undefined ? '' : `content-length: ${contentLength}\r\n`;
    const connection = close
      ? 'Connection: close\r\n'
      : `Connection: keep-alive\r\nKeep-Alive: timeout=${this.keepAliveSeconds()}\r\n`;
    const first = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`;
    return `${first}${idHeader}${requestId}\r\n${lines}${length}${dateHeader}${this.#date}\r\n${connection}\r\n`;
  }

  #places(head: string): { idAt: number; dateAt: number } {
    return {
      idAt: head.indexOf(idHeader) + idHeader.length,
      dateAt: head.indexOf(dateHeader) + dateHeader.length,
    };
  }

  #now(): number {
    const second = Math.floor(Date.now() / 1_000);
    if (second !== this.#second) {
      this.#second = second;
      this.#date = new Date(second * 1_000).toUTCString();
    }
    return second;
  }
}

const idHeader = 'x-request-id: ';
const dateHeader = 'Date: ';
const jsonLine = 'content-type: application/json; charset=utf-8\r\n';
/** Inside a string its quotes would be escaped: where it stands first in a body it is the key. */
const expiresInKey = '"expires_in":';

function tokenLines(token: ServableToken): string {
  return `cache-control: no-store\r\netag: ${etagOf(token)}\r\n`;
}

/** Not from Node's pool: what is kept for a token would keep the 8 KB around it. */
function exactly(text: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(Buffer.byteLength(text));
  bytes.write(text);
  return bytes;
}
