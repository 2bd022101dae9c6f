const secretive =
  /token|secret|passw|assertion|api_?key|authorization|cookie|session|signature|jwt|credential|code_verifier/i;
const harmless = /type|expir|endpoint|url|uri/i;
const measure = /life|ttl|time|age|count|size|length/i;
/** Names that say nothing of what they hold, within a name that does. */
const plainNames = /^(\d+|value|id|key|text|#text|data|raw|content)$/i;
const requestId = /request|trace|correlation|etag/i;
const run = /[\w+/=.~-]{24,}/g;
/** A form, an XML element or attribute: a name, and what it holds. */
const field = /([\w.:-]{1,64})(=["']?|>)([^&<>"'\s;,?#]+)/g;
/** What a scrubber leaves, with the scheme of a header. */
const scrubbed = /^([A-Za-z]+ )?\[(secret|token)\]$/;
const cookieAttribute = /^(path|domain|expires|max-age|samesite)=|^(httponly|secure|partitioned)$/i;

export function isSecretive(name: string): boolean {
  return secretive.test(name) && !harmless.test(name);
}

/** It could be a key or a token of somebody: no word is so long, and has digits in it. */
export function isOpaque(text: string): boolean {
  return /^[\w+/=.~-]{24,}$/.test(text) && /\d/.test(text);
}

export function hidden(text: string): string {
  return `[hidden, ${text.length} characters]`;
}

/** Whether what stands under that name is to be hidden; `inside` says so of what it stands in. */
export function hides(name: string, value: unknown, inside: boolean): boolean {
  const isNamed = isSecretive(name) || (inside && plainNames.test(name));
  if (typeof value === 'number') return isNamed && value >= 100_000 && !measure.test(name);
  return isNamed;
}

/** Somebody's words, the client's own secrets taken out already: without what is named like a secret, or opaque. */
export function maskedText(text: string): string {
  if (/^https?:\/\/[^\s]+$/.test(text)) return text.replace(/[?#].*$/s, maskedParts);
  return maskedParts(text);
}

function maskedParts(text: string): string {
  return text
    .replace(field, (whole, name: string, mark: string, value: string) =>
      isSecretive(name) && !scrubbed.test(value) ? `${name}${mark}${hidden(value)}` : whole,
    )
    .replace(run, (part) => (isOpaque(part) ? hidden(part) : part));
}

/** A field of a header, a query or cookies, scrubbed already. Of one that is named like a secret nothing else is left. */
export function maskedField(name: string, value: string): string {
  if (!secretive.test(name) || /type/i.test(name) || scrubbed.test(value)) return value;
  if (!/cookie/i.test(name)) return value.replace(/^([A-Za-z]+ )?.*$/s, '$1[hidden]');
  return value.replace(/[^;,\s][^;,]*/g, (cookie) => {
    const [, start, text] = /^([^=]*=)(.*)$/s.exec(cookie) ?? ['', '', cookie];
    return cookieAttribute.test(cookie) || scrubbed.test(text!) ? cookie : `${start}[hidden]`;
  });
}

/** As `maskedField`, of what somebody else wrote. */
export function maskedAnswerField(name: string, value: string): string {
  const masked = maskedField(name, value);
  return masked === value && !requestId.test(name) && !scrubbed.test(value) ? maskedText(value) : masked;
}
