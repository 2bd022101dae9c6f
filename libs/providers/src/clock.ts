/** Time as a constructor argument, so that no test waits for it. */
export interface Clock {
  /** Wall clock, ms since 1970. */
  now(): number;
  /** Monotonic clock, ms since an arbitrary start. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
