import type { TokenQuestion } from '../tokens/token-answer';

/** A request for a token, as the lane has read it. */
export interface LaneQuestion extends TokenQuestion {
  minTtl: string | undefined;
  ifNoneMatch: string | undefined;
  /** The caller's own, if it is fit to be used. */
  requestId: string | undefined;
  close: boolean;
}

/** In a time that does not depend on where they differ: a key is among them. */
export function sameBytes(a: Buffer, b: Buffer): boolean {
  const { length } = a;
  if (length !== b.length) return false;
  let differ = 0;
  for (let i = 0; i < length; i++) differ |= a[i]! ^ b[i]!;
  return differ === 0;
}

/** Whether the same caller asks for the same token, so that he need not be judged anew. In a constant time, too. */
export function sameQuestion(a: LaneQuestion, b: LaneQuestion): boolean {
  if (a.name !== b.name || a.minTtl !== b.minTtl) return false;
  const [shown, before] = [Object.entries(a.credentials), new Map(Object.entries(b.credentials))];
  return shown.length === before.size && shown.every(([name, value]) => sameValue(value, before.get(name)));
}

function sameValue(a: unknown, b: unknown): boolean {
  // The connection itself, which is no secret.
  if (typeof a === 'object') return a === b;
  if (typeof a !== 'string' || typeof b !== 'string') return a === undefined && b === undefined;
  if (a.length !== b.length) return false;
  let differ = 0;
  for (let i = 0; i < a.length; i++) differ |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return differ === 0;
}
