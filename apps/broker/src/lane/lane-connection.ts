import type { Socket } from 'node:net';
import type { ServableToken } from '#tokens';
import type { Logger } from '../logger';
import { Problem } from '../problem';
import { isInboundId, type RequestIds } from '../request-id';
import { type AnswerBytes, type Bytes, encoding } from './answer-bytes';
import { credentialsOf } from '../auth/authenticator';
import { type Admitted, matches, type TokenAnswers } from '../tokens/token-answer';
import { readHead, type TokenHead } from './head';
import { sameBytes, sameQuestion, type LaneQuestion } from './same';

/** What the connections of the lane share. */
export interface LaneParts {
  answers: TokenAnswers;
  bytes: AnswerBytes;
  ids: RequestIds;
  logger: Logger;
  /** To the HTTP server, for good: with nothing read, or with what was read put back. */
  handOver(socket: Socket): void;
  /** The process is about to end: answers say that the connection does, too. */
  ending(): boolean;
}

/** As Node answers who connects and says nothing. */
const timeout = 'HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n';

/** One connection, as long as what comes on it are token requests, one at a time. */
export class LaneConnection {
  /** The last head, and what it came to. Most callers send the same bytes each time. */
  #bytes: Buffer | undefined;
  #question: LaneQuestion | undefined;
  #admitted: Admitted | undefined;
  /** An answer is under way, or its bytes are. Nothing is answered meanwhile. */
  #busy = false;
  /** What came all the same; with it the connection is not read any more. */
  #early: Buffer | undefined;
  /** Nothing more will be asked. */
  #ended = false;
  /** The last answer is on its way out. */
  #over = false;
  #usedAt = performance.now();

  constructor(
    private readonly socket: Socket,
    private readonly parts: LaneParts,
    private readonly gone: () => void,
  ) {
    socket.on('data', this.#read).on('end', this.#end).on('error', this.#fail).on('close', gone);
  }

  closeIfIdle(unlessUsedSince: number): void {
    const isInUse = this.#bytes && this.#usedAt >= unlessUsedSince;
    if (!this.#busy && !this.#over && !isInUse) this.socket.destroy();
  }

  closeIfForgotten(now: number, keepAliveMs: number, headersMs: number): void {
    if (this.#busy || this.#over) return;
    const idleMs = now - this.#usedAt;
    if (this.#bytes ? idleMs < keepAliveMs : idleMs < headersMs) return;
    if (!this.#bytes) this.socket.write(timeout);
    this.#finish();
  }

  readonly #read = (chunk: Buffer): void => {
    if (this.#over) return;
    if (this.#busy) return this.#hearLater(chunk);
    if (!this.#bytes || !sameBytes(chunk, this.#bytes)) {
      const head = readHead(chunk);
      if (!head) return this.#handOver(chunk);
      this.#bytes = chunk;
      this.#understand(head);
    }
    this.#answer(this.#question!);
  };

  /** A head that differs only in what the answer does not depend on, such as a trace id, is the same question. */
  #understand({ name, minTtl, headers, close }: TokenHead): void {
    const credentials = credentialsOf({ headers, socket: this.socket });
    const ifNoneMatch = headers['if-none-match'];
    const givenId = headers['x-request-id'];
    const requestId = isInboundId(givenId) ? givenId : undefined;
    const question = { credentials, name, minTtl, ifNoneMatch, requestId, close };
    if (!this.#question || !sameQuestion(question, this.#question)) this.#admitted = undefined;
    this.#question = question;
  }

  #answer(question: LaneQuestion): void {
    const { answers } = this.parts;
    try {
      const known = this.#admitted && answers.stillAdmitted(this.#admitted) ? this.#admitted : undefined;
      const admitted = known ?? answers.admit(question);
      if (admitted instanceof Promise) return void this.#answerLater(admitted, question);
      this.#admitted = admitted;
      const token = answers.peek(admitted);
      if (token) this.#serve(admitted, token, 'hit', question);
      else void this.#lookUp(admitted, question);
    } catch (error) {
      this.#refuse(error, question, performance.now());
    }
  }

  /** The database has to be asked first. */
  async #answerLater(admitting: Promise<Admitted>, question: LaneQuestion): Promise<void> {
    const { answers } = this.parts;
    const since = performance.now();
    this.#busy = true;
    try {
      const admitted = await admitting;
      this.#admitted = admitted;
      const token = answers.peek(admitted);
      if (token) this.#serve(admitted, token, 'hit', question);
      else await this.#lookUp(admitted, question, since);
    } catch (error) {
      this.#refuse(error, question, since);
    }
  }

  /** Redis has to be asked first, or the provider. */
  async #lookUp(admitted: Admitted, question: LaneQuestion, since = performance.now()): Promise<void> {
    this.#busy = true;
    try {
      this.#serve(admitted, await this.parts.answers.get(admitted), 'miss', question);
    } catch (error) {
      this.#refuse(error, question, since);
    }
  }

  #serve(admitted: Admitted, token: ServableToken, how: 'hit' | 'miss', question: LaneQuestion): void {
    const { answers, bytes } = this.parts;
    const { name, ifNoneMatch, requestId } = question;
    const notModified = matches(ifNoneMatch, token);
    answers.served(admitted, token, notModified ? 'not_modified' : how);
    const close = this.#isLast(question);
    // Whoever's token had to be looked up asks for it seldom.
    if (how === 'hit' && requestId === undefined && !close) {
      this.#write(notModified ? bytes.notModified(token) : bytes.token(token, name), false, token);
    } else {
      const once = notModified
        ? bytes.notModifiedOnce(token, close, requestId)
        : bytes.tokenOnce(token, name, close, requestId);
      this.#write(once, close);
    }
  }

  #refuse(error: unknown, question: LaneQuestion, since: number): void {
    const { answers, bytes, ids, logger } = this.parts;
    // A flood hangs up before it is answered.
    if (this.socket.destroyed && error instanceof Problem) return answers.countRefusal();
    const requestId = ids.of(question.requestId);
    const { status, headers, body, code, ours } = answers.refused(error, requestId);
    if (ours) logger.error({ err: error, code, request_id: requestId }, 'request failed');
    const duration_ms = Math.round((performance.now() - since) * 10) / 10;
    const line = { method: 'GET', route: '/v1/clients/:name/token', params: { name: question.name }, status };
    logger.debug({ request_id: requestId, ...line, duration_ms }, 'request');
    const close = this.#isLast(question);
    this.#write(bytes.refusal(status, headers, body, requestId, close), close);
  }

  #isLast({ close }: LaneQuestion): boolean {
    return close || this.parts.ending();
  }

  /** @param token whose bytes they are, if others get the same ones */
  #write(bytes: Bytes, last: boolean, token?: ServableToken): void {
    const { socket } = this;
    if (socket.destroyed) return;
    this.#usedAt = performance.now();
    socket.write(bytes, encoding);
    if (last) return this.#finish();
    if (socket.writableLength === 0) return this.#resume();
    // The caller does not read as fast as it asks: it is heard again when it has.
    if (token) this.parts.bytes.letGo(token);
    this.#busy = true;
    socket.write('', () => this.#resume());
  }

  /** Most wait for their answer; to stop reading for them, and begin again, would cost more than that does. */
  #hearLater(chunk: Buffer): void {
    // It cannot be: nothing is read once something came too early. If it is, no answer must be another's.
    if (this.#early) return void this.socket.destroy();
    this.#early = chunk;
    this.socket.pause();
  }

  #resume(): void {
    if (!this.#busy || this.socket.destroyed) return;
    this.#busy = false;
    if (this.parts.ending()) return this.#finish();
    const early = this.#early;
    if (early) {
      this.#early = undefined;
      this.socket.resume();
      this.#read(early);
    } else if (this.#ended) this.#finish();
  }

  /** What else is sent is read, and goes unheard: with bytes unread, the close would be a reset, and might cost the answer. */
  #finish(): void {
    this.#over = true;
    this.socket.resume();
    this.socket.destroySoon();
  }

  readonly #end = (): void => {
    // Nothing more will be asked; what was answered still goes out.
    this.#ended = true;
    if (!this.#busy) this.socket.destroySoon();
  };

  readonly #fail = (): void => {
    this.socket.destroy();
  };

  #handOver(chunk: Buffer): void {
    const { socket } = this;
    socket.off('data', this.#read).off('end', this.#end).off('error', this.#fail).off('close', this.gone);
    this.gone();
    socket.pause();
    socket.unshift(chunk);
    this.parts.handOver(socket);
    socket.resume();
  }
}
