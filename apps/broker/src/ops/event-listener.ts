import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { EventRecord } from '#registry';
import { eventText } from './event.view';

/** What may wait here for one listener to take it. */
const maxWaitingBytes = 1024 * 1024;
const patienceMs = 30_000;
const graceMs = 500;
/** When a listener that was cut off should come back. */
const retryMs = 3_000;

/** One who listens to events, by a body that does not end. */
export class EventListener {
  readonly body = new PassThrough();
  /** Of the connection rather than of the answer: an answer that waits behind another one is not told when it breaks. */
  readonly #socket: Socket;

  constructor(
    response: ServerResponse,
    /** It has been told of everything up to here. */
    public position: bigint,
    /** Name of the only client that it wants to hear of. */
    readonly client: string | undefined,
    readonly mayListen: () => Promise<boolean>,
  ) {
    this.#socket = response.req.socket;
    this.#write(`retry: ${retryMs}\n\n`);
  }

  get open(): boolean {
    return this.body.writable && !this.#socket.destroyed;
  }

  /** Called when it has gone; not, where it had gone before. */
  onGone(forget: () => void): void {
    this.#socket.once('close', forget);
  }

  /** Tells what it has not been told yet. */
  tell(events: EventRecord[]): void {
    const news = events.filter(
      ({ seq, client }) => BigInt(seq) > this.position && (this.client === undefined || this.client === client),
    );
    if (news.length > 0) this.#write(news.map(eventText).join(''));
    const last = events.at(-1);
    if (last && BigInt(last.seq) > this.position) this.position = BigInt(last.seq);
  }

  /** Settles when what was told has been taken, or when that takes too long: then it is cut off. */
  async taken(): Promise<void> {
    if (!this.body.writableNeedDrain) return;
    const signal = AbortSignal.timeout(patienceMs);
    const ends = [once(this.body, 'drain', { signal }), once(this.#socket, 'close', { signal })];
    await Promise.race(ends).catch(() => this.cut());
    for (const end of ends) end.catch(() => undefined);
  }

  /** A comment: whoever stands between here and the listener sees that the connection lives. */
  beat(): void {
    this.#write(':\n\n');
  }

  end(): void {
    this.body.end();
    setTimeout(() => this.cut(), graceMs).unref();
  }

  cut(): void {
    this.#socket.destroy();
  }

  /** Who takes too little is cut off rather than waited for, and may come back to where it was. */
  #write(text: string): void {
    if (!this.open) return;
    this.body.write(text);
    if (this.body.writableLength + this.body.readableLength > maxWaitingBytes) this.cut();
  }
}
