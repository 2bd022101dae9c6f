import type { Attempt, LastFailure } from './token-store';

/** So many of a client's attempts are there to be read. */
export const attemptsKept = 50;

/** A failure as an attempt. What the provider said in its own words stays with the last failure alone. */
export function failedAttempt(failure: LastFailure): Attempt {
  const { at, durationMs = 0, code, message, providerStatus, providerRequestId } = failure;
  return {
    at,
    outcome: 'failed',
    durationMs: Math.round(durationMs),
    reason: code,
    message,
    ...(providerStatus !== undefined && { providerStatus }),
    ...(providerRequestId && { providerRequestId }),
  };
}

/**
 * @param wentWell.records of `commit-n.lua`, oldest first
 * @param wentWell.lastAtSeconds when the last of them was; `requestId` is its too
 */
export function latestAttempts(
  wentWell: { records: Buffer; lastAtSeconds: number; requestId: string },
  failed: Attempt[],
): Attempt[] {
  return [...unpacked(wentWell), ...failed].sort((a, b) => b.at - a.at).slice(0, attemptsKept);
}

/** Newest first. Each tells how long before it the one before it was. */
function unpacked({ records, lastAtSeconds, requestId }: Parameters<typeof latestAttempts>[0]): Attempt[] {
  const attempts: Attempt[] = [];
  let at = lastAtSeconds * 1_000;
  for (let from = records.length - 4; from >= 0; from -= 4) {
    const record = records.readUInt32BE(from);
    const durationMs = Math.round(Math.exp((record & 0xff) / 23) - 1);
    attempts.push({ at, outcome: record & 0x80000000 ? 'kept' : 'renewed', durationMs });
    at -= ((record >>> 8) & 0x7fffff) * 1_000;
  }
  if (requestId && attempts[0]) attempts[0].providerRequestId = requestId;
  return attempts;
}
