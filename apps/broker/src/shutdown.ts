import { setTimeout as delay } from 'node:timers/promises';
import type { Parts } from './app.module';
import type { Storage } from './storage';

/** Together less than the 10 s after which an orchestrator commonly kills. */
const drainMs = 8_000;
/** To give back what was cut off. */
const giveBackMs = 300;
const tellMs = 5_000;
const closeMs = 600;
const flushMs = 600;
const disconnectMs = 400;
/** Who was told that it is not ready needs a moment to act upon it. */
const heededAfterMs = 250;

/**
 * Ends in order: not ready first, and nothing new is claimed; what is under way ends, and requests are served until those
 * who send them know. Nothing that hangs holds it up for longer than its share of the ten seconds.
 */
export async function shutDown(
  { readiness, tokens, proxy, flush, logger }: Parts,
  app: { close(): Promise<unknown> },
  storage: Storage,
): Promise<void> {
  const since = performance.now();
  readiness.shutDown();
  tokens.stop();
  const drained = within(drainMs + giveBackMs, tokens.drain(drainMs));
  if (readiness.watched) {
    await within(tellMs, readiness.told);
    await delay(heededAfterMs);
  }
  if (!(await drained))
    logger.warn('the token store does not answer: others have what was being renewed when the lease ends');
  if (!(await within(Math.max(0, drainMs - (performance.now() - since)), proxy.idle())))
    logger.warn('calls through the proxy were cut off');
  if (!(await within(closeMs, app.close()))) logger.warn('requests still running were cut off');
  if (!(await within(flushMs, flush()))) logger.warn('the database does not answer: the last changes were not written');
  await within(disconnectMs, storage.close());
}

/** Whether it ended in that time. */
async function within(ms: number, work: Promise<unknown>): Promise<boolean> {
  const late = new AbortController();
  const ended = work.then(
    () => true,
    () => true,
  );
  const result = await Promise.race([ended, delay(ms, false, { signal: late.signal }).catch(() => false)]);
  late.abort();
  return result;
}
