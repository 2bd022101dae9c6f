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

/** @param wentWell records of `commit-4.lua`, oldest first; `requestId` is of the last of them */
export function latestAttempts(wentWell: Buffer, requestId: string, failed: Attempt[]): Attempt[] {
  const attempts = unpacked(wentWell);
  if (requestId && attempts.length > 0) attempts.at(-1)!.providerRequestId = requestId;
  return [...attempts.reverse(), ...failed].sort((a, b) => b.at - a.at).slice(0, attemptsKept);
}

/** Each is seconds of the wall clock in four bytes, then ms that it took in two, the highest bit set for `kept`. */
const recordBytes = 6;

function unpacked(records: Buffer): Attempt[] {
  return Array.from({ length: Math.floor(records.length / recordBytes) }, (_, i): Attempt => {
    const took = records.readUInt16BE(i * recordBytes + 4);
    return {
      at: records.readUInt32BE(i * recordBytes) * 1_000,
      outcome: took & 0x8000 ? 'kept' : 'renewed',
      durationMs: took & 0x7fff,
    };
  });
}
