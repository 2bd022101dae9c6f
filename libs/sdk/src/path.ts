/** A name as a part of a path. Dots alone would be taken for a step upwards. */
export function pathSegment(name: string): string {
  if (typeof name === 'string' && /[^.]/.test(name)) return encodeURIComponent(name);
  throw new TypeError(`${JSON.stringify(name)} is no name.`);
}
