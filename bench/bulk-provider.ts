import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import type { Ground } from './rig';

/** What the simulator tells of the tokens that it issued in bulk. */
export interface BulkReading {
  issued: number;
  /** ms since 1970 at which the first of the seconds begins; null before the first call. */
  from: number | null;
  calls_per_second: number[];
}

const tokenBytes = 900;

/** For `startGround`: a provider that gives any key a token of this life. */
export function bulkEnv(ttlSeconds: number): Record<string, string> {
  return { BULK_TTL_SECONDS: String(ttlSeconds), BULK_TOKEN_BYTES: String(tokenBytes) };
}

export async function readBulk({ simulator }: { simulator: { url: string } }): Promise<BulkReading> {
  const { body } = await request(`${simulator.url}/_control/bulk`);
  return (await body.json()) as BulkReading;
}

/** Waits until so many tokens were issued. */
export async function untilIssued(ground: Ground, count: number, withinMs: number): Promise<void> {
  const until = Date.now() + withinMs;
  for (;;) {
    const { issued } = await readBulk(ground);
    if (issued >= count) return;
    if (Date.now() > until) throw new Error(`Only ${issued} of ${count} tokens were issued in ${withinMs / 1_000} s`);
    await delay(500);
  }
}
