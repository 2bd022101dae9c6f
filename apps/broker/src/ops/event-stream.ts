import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import type { BeforeApplicationShutdown } from '@nestjs/common';
import type { EventRecord, Events } from '#registry';
import type { Logger } from '../logger';
import { Problem } from '../problem';
import { EventListener } from './event-listener';

const pageSize = 500;
const retryAfterSeconds = 5;

export interface ListenRequest {
  /** Only of the client of that name. */
  client?: string;
  /** Number of the last event that it knows; absent: from now on. */
  after?: string;
  /** Whether its key still opens the stream; asked now and then. */
  mayListen: () => Promise<boolean>;
}

/**
 * Tells events to everybody who listens at this replica, those of other replicas too: while there is a listener, and only
 * then, the database is asked once a second for what is new, on behalf of all of them.
 */
export class EventStream implements BeforeApplicationShutdown {
  /** All of them, also those that are still being told what was before. */
  readonly #listeners = new Set<EventListener>();
  readonly #live = new Set<EventListener>();
  /** The live ones have been told of everything up to here. */
  #position = 0n;
  /** As long as somebody listens; another one after a pause. */
  #run: object | undefined;
  #stopped = false;
  #timers: NodeJS.Timeout[] = [];
  readonly #limits: { pollMs: number; beatMs: number; listeners: number };

  constructor(
    private readonly events: Pick<Events, 'list' | 'newest'>,
    private readonly logger: Logger,
    limits: Partial<{ pollMs: number; beatMs: number; listeners: number }> = {},
  ) {
    this.#limits = { pollMs: 1_000, beatMs: 15_000, listeners: 100, ...limits };
  }

  /**
   * A body for that response, of events until one of the two ends it.
   * @throws Problem when there are too many; what the database throws
   */
  async listen(response: ServerResponse, { client, after, mayListen }: ListenRequest): Promise<Readable> {
    if (this.#stopped) throw unavailable('This replica is stopping.');
    if (this.#listeners.size >= this.#limits.listeners) {
      throw unavailable(`${this.#limits.listeners} programs listen to this replica already.`);
    }
    const listener = new EventListener(response, 0n, client, mayListen);
    // Gone while it was looked up who asks: nobody would say that it can be forgotten.
    if (!listener.open) return listener.body;
    this.#listeners.add(listener);
    listener.onGone(() => this.#forget(listener));
    try {
      const newest = BigInt(await this.events.newest());
      // A number that was never given out, as after a restore of the database, would be waited for in vain.
      listener.position = after === undefined || BigInt(after) > newest ? newest : BigInt(after);
      if (!this.#run && this.#listeners.has(listener)) this.#start(newest);
    } catch (error) {
      this.#forget(listener);
      throw error;
    }
    void this.#catchUp(listener).catch((error: unknown) => {
      this.logger.debug({ err: error }, 'a listener was cut off: what was before could not be read');
      listener.cut();
    });
    return listener.body;
  }

  beforeApplicationShutdown(): void {
    this.#stopped = true;
    for (const listener of this.#listeners) listener.end();
    this.#rest();
  }

  /** Page by page, at the pace of the listener; from where it has reached the others it is told with them. */
  async #catchUp(listener: EventListener): Promise<void> {
    const { client } = listener;
    while (listener.open) {
      const reached = this.#position;
      const after = String(listener.position);
      const { items, next } = await this.events.list({
        after,
        limit: pageSize,
        ...(client !== undefined && { client }),
      });
      listener.tell(items);
      await listener.taken();
      if (next !== undefined) continue;
      // What the others had been told before the query was in it.
      if (reached > listener.position) listener.position = reached;
      if (listener.position < this.#position) continue;
      if (this.#listeners.has(listener)) this.#live.add(listener);
      return;
    }
  }

  #start(position: bigint): void {
    const run = {};
    this.#run = run;
    this.#position = position;
    const poll = async (): Promise<void> => {
      await this.#poll(run);
      if (this.#run === run) this.#timers[0] = setTimeout(poll, this.#limits.pollMs);
    };
    this.#timers = [setTimeout(poll, this.#limits.pollMs), setInterval(() => this.#beat(), this.#limits.beatMs)];
  }

  async #poll(run: object): Promise<void> {
    try {
      let next: string | undefined;
      do {
        const page = await this.events.list({ after: String(this.#position), limit: pageSize });
        if (this.#run !== run) return;
        this.#tell(page.items);
        next = page.next;
      } while (next !== undefined);
    } catch (error) {
      this.logger.debug({ err: error }, 'no events could be read; trying again');
    }
  }

  #tell(events: EventRecord[]): void {
    for (const listener of this.#live) listener.tell(events);
    const last = events.at(-1);
    if (last) this.#position = BigInt(last.seq);
  }

  #beat(): void {
    for (const listener of this.#listeners) {
      listener.beat();
      // While that cannot be found out, nobody is sent away.
      void listener.mayListen().then(
        (may) => may || listener.end(),
        () => undefined,
      );
    }
  }

  #forget(listener: EventListener): void {
    this.#listeners.delete(listener);
    this.#live.delete(listener);
    if (this.#listeners.size === 0) this.#rest();
  }

  #rest(): void {
    this.#run = undefined;
    for (const timer of this.#timers) clearTimeout(timer);
  }
}

function unavailable(detail: string): Problem {
  return new Problem('stream_unavailable', detail, { headers: { 'retry-after': String(retryAfterSeconds) } });
}
