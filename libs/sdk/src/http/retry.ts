import type { Clock } from '../clock';
import { BrokerError, BrokerUnreachable, TokenBrokerError } from '../errors';

const firstMs = 100;
const mostMs = 5_000;
/** Where nobody answers nobody is burdened, and a broker that restarts is back in seconds. */
const mostUnreachableMs = 1_000;

/**
 * How long to wait before the next attempt: anything up to twice as much each time ("full jitter", so that callers that
 * failed together do not come back together), and no less than the broker asked for.
 * @param attempt from 1
 */
export function delayMs(attempt: number, error: unknown, random: () => number): number {
  const most = Math.min(error instanceof BrokerUnreachable ? mostUnreachableMs : mostMs, firstMs * 2 ** attempt);
  const jitter = random() * most;
  const asked = error instanceof BrokerError ? error.retryAfterSeconds : undefined;
  return asked === undefined ? jitter : asked * 1_000 + jitter / 4;
}

/** RFC 9110 10.2.3: seconds, or a date. */
export function retryAfterSeconds(header: string | null, clock: Clock): number | undefined {
  if (header === null) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header);
  const at = Date.parse(header);
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - clock.now()) / 1_000));
}

export function mayRetry(error: unknown): boolean {
  return error instanceof TokenBrokerError && error.retryable;
}
