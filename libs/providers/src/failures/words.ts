import type { WireAnswer } from '../network/network';
import type { Scrubber } from './scrubber';

const telling = /err|fault|msg|messag|descr|detail|reason|title|status|code|hint/i;

/** A form, or JSON that was cut off, with a token in it. */
const holdsToken = /token['"\\]*\s*[=:]/i;

/**
 * What the provider says about a failure, in its own words and scrubbed. Only fields with telling names are quoted, and
 * of a success only error pages: the rest of it may be a token, whole or cut off.
 */
export function providerWords({ isSuccess, kind, body, text }: WireAnswer, scrubber: Scrubber): string | undefined {
  // A form and XML are quoted by field like JSON: of XML, the root's fields are what tells.
  const fields = kind === 'xml' ? insideRoot(body) : body;
  if (typeof fields === 'object' && fields !== null && !Array.isArray(fields)) {
    const told = Object.entries(fields).filter(([name, value]) => telling.test(name) && value !== null);
    return told.length > 0 ? quote(Object.fromEntries(told), scrubber) : undefined;
  }
  const isMarkup = /^\s*</.test(text);
  if ((isSuccess && (!isMarkup || kind === 'xml')) || holdsToken.test(text)) return undefined;
  // Both patterns read the text once, whatever it is: 64 KB of "<" must not hold the process up.
  const words = isMarkup ? text.replace(/<(script|style)\b[^]*?(<\/\1>|$)/gi, ' ').replace(/<[^<>]*>/g, ' ') : text;
  return scrubber.scrub(words) || undefined;
}

function insideRoot(body: unknown): unknown {
  const [root] = typeof body === 'object' && body !== null ? (Object.values(body) as unknown[]) : [];
  return typeof root === 'object' ? root : undefined;
}

/** Scrubbed twice: each text by itself, before JSON escapes it, and the whole, because of the names and the length. */
function quote(told: object, scrubber: Scrubber): string | undefined {
  try {
    const scrubbed = (_: string, value: unknown) => (typeof value === 'string' ? scrubber.scrub(value, 1000) : value);
    return scrubber.scrub(JSON.stringify(told, scrubbed));
  } catch {
    // Nested too deeply to be written.
    return undefined;
  }
}
