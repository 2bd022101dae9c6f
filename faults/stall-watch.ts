import type { Record } from './record';

const everyMs = 100;
/** A timer later than this is no accident. */
const lateMs = 150;

/** Notes when this process did not get to run: then the brokers beside it did not either. */
export function watchStalls({ stalls }: Record): () => void {
  let expected = Date.now() + everyMs;
  const timer = setInterval(() => {
    const now = Date.now();
    if (now - expected > lateMs) stalls.push({ from: expected - everyMs, to: now });
    expected = now + everyMs;
  }, everyMs).unref();
  return () => clearInterval(timer);
}
