/** One thing wrong with a document, or, as a warning, worth knowing about it. */
export interface Fault {
  /** JSON Pointer (RFC 6901) to the place. */
  pointer: string;
  detail: string;
  /** Line of the YAML text, from 1. */
  line?: number;
}

export type Place = readonly (string | number)[];

export function pointer(...parts: Place): string {
  return parts.map((part) => `/${String(part).replace(/~/g, '~0').replace(/\//g, '~1')}`).join('');
}
