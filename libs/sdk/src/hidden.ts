/** Node, Deno and Bun look for it before they print an object. Named, not imported: browsers have no `node:util`. */
export const inspect: unique symbol = Symbol.for('nodejs.util.inspect.custom') as never;

const mask = '[secret]';

/** What objects with secrets show of themselves, to JSON and to consoles alike. */
export function shown(name: string, facts: object): string {
  const parts = Object.entries(facts as Record<string, unknown>)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}: ${value instanceof Date ? value.toISOString() : JSON.stringify(value)}`);
  return `${name} { ${parts.join(', ')} }`;
}

function printed(this: object): Record<string, string> {
  return Object.fromEntries(Object.keys(this).map((key) => [key, mask]));
}

/**
 * Without a prototype of its own, so that whoever asks whether a record is a plain object hears yes; and not as own
 * properties of the record, since `fetch` takes every one of those for a header.
 */
const maskedWhenPrinted = Object.create(null, {
  toJSON: { value: printed },
  [inspect]: { value: printed },
}) as object;

/** A record of texts that can be read, spread and sent, and prints none of its values. A copy of it prints them. */
export function hidden(record: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.freeze(Object.assign(Object.create(maskedWhenPrinted) as Record<string, string>, record));
}

/** The text without that secret, wherever it stands. */
export function without(secret: string | undefined, text: string): string {
  return secret ? text.replaceAll(secret, mask) : text;
}
