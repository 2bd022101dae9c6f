/** Time, as a thing that a test can hold in its hand. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment; never set back. */
  steady(): number;
  /** Rejects with the signal's reason as soon as it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  steady: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error);
      const abort = (): void => {
        clearTimeout(timer);
        reject(signal!.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      }, ms);
      signal?.addEventListener('abort', abort, { once: true });
    }),
};

/** A point in time on both clocks: one can be set, the other may stand still while the machine sleeps. */
export interface Moment {
  now: number;
  steady: number;
}

export function moment(clock: Clock): Moment {
  return { now: clock.now(), steady: clock.steady() };
}

/** Milliseconds up to `ms` after the moment, by the clock that is further ahead; never negative. */
export function msLeft({ now, steady }: Moment, ms: number, clock: Clock): number {
  return Math.max(0, Math.min(now + ms - clock.now(), steady + ms - clock.steady()));
}

/** The promise's outcome, unless the signal is aborted before. */
export function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
