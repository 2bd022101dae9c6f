import type { Clock } from '../clock';
import { TokenBrokerError } from '../errors';
import { delayMs } from '../http/retry';
import type { Transport } from '../http/transport';
import { eventsIn } from './event-stream';
import { Pages } from './pages';
import type { AuditView, EventView, ReadsView, RenewalHourView, SummaryView } from './wire';

export interface EventFilter {
  client?: string;
  /** The `seq` of an event: only what came behind it. */
  after?: string;
}

interface Period {
  from?: Date;
  to?: Date;
  /** Of a page. */
  limit?: number;
}

export interface ReadsFilter extends Period {
  service?: string;
  client?: string;
}

export interface RenewalHoursFilter extends Period {
  provider?: string;
}

/** `/v1/events`: changes of condition, and of what providers are asked. */
export class EventAdmin {
  readonly #parts: { transport: Transport; clock: Clock; random: () => number };

  constructor(parts: { transport: Transport; clock: Clock; random: () => number }) {
    this.#parts = parts;
  }

  /** What has happened. */
  list(filter: EventFilter & { order?: 'asc' | 'desc'; limit?: number } = {}): Pages<EventView> {
    return new Pages(this.#parts.transport, { path: '/v1/events', query: { ...filter } }, 'after');
  }

  /**
   * What happens, as it does, without end. A connection that is cut is made anew, and nothing is missed. Leave the loop,
   * or abort the signal, to end it.
   * @throws TokenBrokerError where the broker refuses it
   */
  async *stream({ client, after, signal }: EventFilter & { signal?: AbortSignal } = {}): AsyncGenerator<
    EventView,
    void,
    undefined
  > {
    const { transport, clock, random } = this.#parts;
    const ending = new AbortController();
    const end = (): void => ending.abort(signal?.reason);
    signal?.addEventListener('abort', end, { once: true });
    if (signal?.aborted) end();
    let last = after;
    try {
      for (let failures = 0; !ending.signal.aborted;) {
        try {
          const headers = { accept: 'text/event-stream', ...(last !== undefined && { 'last-event-id': last }) };
          const query = client === undefined ? {} : { client };
          const { body } = await transport.open({ path: '/v1/events', query, headers, signal: ending.signal });
          for await (const { id, data } of eventsIn(body!)) {
            [last, failures] = [id, 0];
            yield data as EventView;
          }
          await clock.sleep(delayMs(++failures, undefined, random), ending.signal);
        } catch (error) {
          if (ending.signal.aborted) return;
          // What broke off within the body is no error of the broker's, and no reason to give up.
          if (error instanceof TokenBrokerError && !error.retryable) throw error;
          await clock.sleep(delayMs(++failures, error, random), ending.signal).catch(() => undefined);
        }
      }
    } finally {
      signal?.removeEventListener('abort', end);
      ending.abort();
    }
  }
}

/** What is going on, and what went on. */
export class OperationsAdmin {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async summary(): Promise<SummaryView> {
    return (await this.#transport.call({ path: '/v1/summary' })).body as SummaryView;
  }

  /** Who changed what, the newest first. */
  audit(filter: { target?: string; limit?: number } = {}): Pages<AuditView> {
    return new Pages(this.#transport, { path: '/v1/audit', query: { ...filter } });
  }

  /** Which service had which token, the newest first; where the broker is set to note it. */
  auditReads({ from, to, ...filter }: ReadsFilter = {}): Pages<ReadsView> {
    return new Pages(this.#transport, { path: '/v1/audit/reads', query: { ...filter, ...period(from, to) } });
  }

  /** Sums of renewals by the hour. */
  renewalHours({ from, to, ...filter }: RenewalHoursFilter = {}): Pages<RenewalHourView> {
    return new Pages(this.#transport, { path: '/v1/renewals', query: { ...filter, ...period(from, to) } });
  }
}

function period(from: Date | undefined, to: Date | undefined): Record<string, string> {
  return { ...(from && { from: from.toISOString() }), ...(to && { to: to.toISOString() }) };
}
