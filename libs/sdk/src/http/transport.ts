import { type Clock, type Moment, moment, msLeft, unlessAborted } from '../clock';
import { BrokerUnreachable, Misconfigured } from '../errors';
import { without } from '../hidden';
import { failureOf, parsed } from './answer';
import { delayMs, mayRetry } from './retry';

export type Fetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Call {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Begins with a slash; the names in it are encoded. */
  path: string;
  query?: Record<string, string | number | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** It may be sent again, though the broker may have done it already. Absent: only what reads is. */
  repeatable?: boolean;
  /** Of all attempts together; absent: as the broker was made with. */
  timeoutMs?: number;
  /** Of one attempt: longer than usual where the broker is asked to wait. */
  attemptMs?: number;
}

export interface Answer {
  status: number;
  headers: Headers;
  body: unknown;
  /** Before the request left. */
  sentAt: Moment;
}

export interface TransportParts {
  /** Of the broker, without a slash at its end. */
  url: string;
  credential: () => string | Promise<string>;
  fetch: Fetch;
  clock: Clock;
  random: () => number;
  timeoutMs: number;
}

/** An attempt that hangs is given up while there is time for another. The broker itself answers within ten seconds. */
const usualAttemptMs = 12_000;

/** Speaks to the broker: one call is one request, or as many as it takes and there is time for. */
export class Transport {
  readonly #parts: TransportParts;
  /** Those that pause since nobody answered. */
  readonly #pausing = new Set<AbortController>();

  constructor(parts: TransportParts) {
    this.#parts = parts;
  }

  /** @throws TokenBrokerError, or the reason of the signal */
  async call(call: Call): Promise<Answer> {
    const { clock, random, timeoutMs } = this.#parts;
    const { method = 'GET', repeatable = method === 'GET', attemptMs = usualAttemptMs } = call;
    const [began, allowedMs] = [moment(clock), call.timeoutMs ?? timeoutMs];
    for (let attempt = 1; ; attempt++) {
      const leftMs = msLeft(began, allowedMs, clock);
      try {
        return await this.#attempt(call, repeatable ? Math.min(leftMs, attemptMs) : leftMs);
      } catch (error) {
        const pauseMs = delayMs(attempt, error, random);
        if (!repeatable || !mayRetry(error) || pauseMs >= msLeft(began, allowedMs, clock)) throw error;
        await (error instanceof BrokerUnreachable
          ? this.#pause(pauseMs, call.signal)
          : clock.sleep(pauseMs, call.signal));
      }
    }
  }

  /** For so long, or until the broker has answered somebody else: then it is there again. */
  async #pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const ending = new AbortController();
    const abort = (): void => ending.abort();
    signal?.addEventListener('abort', abort, { once: true });
    this.#pausing.add(ending);
    await this.#parts.clock.sleep(ms, ending.signal).catch(() => signal?.throwIfAborted());
    this.#pausing.delete(ending);
    signal?.removeEventListener('abort', abort);
  }

  /** An answer whose body goes on and on: it is not read here, and ends with the signal. */
  async open(call: Call & { signal: AbortSignal }): Promise<Response> {
    const credential = await this.#credential();
    const response = await this.#send(call, credential, call.signal).catch((error: unknown) => {
      throw this.#unreachable(error, credential, call.signal, false);
    });
    if (response.ok) return response;
    throw failureOf(response, await response.text().catch(() => ''), credential, this.#parts.clock);
  }

  async #attempt(call: Call, withinMs: number): Promise<Answer> {
    call.signal?.throwIfAborted();
    const credential = await this.#credential();
    const ending = new AbortController();
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      ending.abort();
    }, withinMs);
    const abort = (): void => ending.abort();
    call.signal?.addEventListener('abort', abort, { once: true });
    const sentAt = moment(this.#parts.clock);
    const { response, text } = await unlessAborted(this.#exchange(call, credential, ending.signal), ending.signal)
      .catch((error: unknown) => {
        throw this.#unreachable(error, credential, call.signal, late);
      })
      .finally(() => {
        clearTimeout(timer);
        call.signal?.removeEventListener('abort', abort);
      });
    const { status, headers } = response;
    if (!response.ok && status !== 304) throw failureOf(response, text, credential, this.#parts.clock);
    const body = text === '' ? undefined : parsed(text);
    if (text !== '' && body === undefined) throw new BrokerUnreachable(`The answer (${status}) is no JSON.`, status);
    for (const pause of this.#pausing) pause.abort();
    return { status, headers, body, sentAt };
  }

  async #exchange(call: Call, credential: string, signal: AbortSignal): Promise<{ response: Response; text: string }> {
    const response = await this.#send(call, credential, signal);
    return { response, text: await response.text() };
  }

  #send({ method = 'GET', path, query = {}, body, headers }: Call, credential: string, signal: AbortSignal) {
    const asked = Object.entries(query).flatMap(([name, value]) =>
      value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
    );
    const isText = typeof body === 'string';
    // A redirect would take the key along.
    return this.#parts.fetch(`${this.#parts.url}${path}${asked.length > 0 ? `?${asked.join('&')}` : ''}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body !== undefined && !isText && { 'content-type': 'application/json' }),
        ...headers,
        authorization: `Bearer ${credential}`,
      },
      ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }),
      redirect: 'manual',
      signal,
    });
  }

  /** Asked for each attempt, so that a file or a function may bring another one meanwhile. */
  async #credential(): Promise<string> {
    const credential = (await this.#parts.credential()).trim();
    if (/^[\x21-\x7e]+$/.test(credential)) return credential;
    // Not left to `fetch`, which quotes a header that it does not like.
    throw new Misconfigured('The key (or token) for the broker is empty, or holds characters that no key has.');
  }

  /** What `fetch` threw, without the key: some implementations put the whole request into their errors. */
  #unreachable(error: unknown, credential: string, signal: AbortSignal | undefined, late: boolean): unknown {
    if (signal?.aborted) return signal.reason;
    const { url } = this.#parts;
    if (late) return new BrokerUnreachable(`The broker at ${url} did not answer in time.`);
    const words = (each: unknown): string => without(credential, each instanceof Error ? each.message : String(each));
    const inner = error instanceof Error ? error.cause : undefined;
    const why = [error, inner].filter((each) => each !== undefined).map(words);
    return new BrokerUnreachable(`The broker at ${url} cannot be reached: ${why.join(': ')}`);
  }
}
