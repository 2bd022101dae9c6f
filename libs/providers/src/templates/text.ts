import { Secret } from '#vault';

/** A part of a URL that was checked as a whole, and goes into the place that it is for as it stands. */
export class UrlText {
  constructor(
    readonly text: string,
    readonly kind: 'url' | 'host' | 'path',
  ) {}
}

/** A template that does not parse, or cannot be rendered with these values. The message never holds a value. */
export class TemplateFault extends Error {
  override readonly name = 'TemplateFault';
}

/** No text that a template makes is longer, so that templates naming each other cannot grow without bound. */
export const maxTextChars = 65_536;

/** The secret is revealed here, while the text that holds it is written, and nowhere else. */
export function asText(value: unknown): string {
  if (value === undefined || value === null) return '';
  if (value instanceof Secret) return value.reveal();
  if (value instanceof UrlText) return value.text;
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'object') throw new TemplateFault('a list or an object stands where text is needed');
  return String(value);
}

/** A list or an object of an answer or of a JSON input; bytes, URLs and secrets are texts. */
export function isTree(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value) as object | null);
}

/** As application/x-www-form-urlencoded has it (WHATWG URL 5.2). */
export function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** Bytes as they are; a text as UTF-8. */
export function asBytes(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : Buffer.from(asText(value), 'utf8');
}
