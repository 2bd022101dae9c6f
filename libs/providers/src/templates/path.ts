/** Steps from a value to a value inside it; `*` stands for every element of an array. */
export type Path = readonly (string | number)[];

const nameText = String.raw`[A-Za-z_@$][\w$@-]*(?::[A-Za-z_][\w$@-]*)?`;
const quotedText = String.raw`"[^"\\\]]{1,200}"|'[^'\\\]]{1,200}'`;
const elementText = String.raw`\[(?:-?\d{1,6}|\*|${quotedText})\]`;
const restText = String.raw`(?:\.(?:${nameText}|#text)|${elementText})*`;
/** `errors[0].code`, `a["odd name"]`, `item.@id`, `soap:Body`. */
export const pathText = nameText + restText;

/** Of a body that is a list itself: `[*].code`. Templates have no such paths: they begin with a name. */
const whole = new RegExp(`^(?:${nameText}|${elementText})${restText}$`);
const part = new RegExp(`${quotedText}|#text|-?\\d+(?=\\])|\\*|${nameText}`, 'g');

/** Reads `errors[0].code`; undefined when it is not a path. */
export function parsePath(source: string): Path | undefined {
  if (!whole.test(source)) return undefined;
  return [...source.matchAll(part)].map(([text]) => {
    if (/^["']/.test(text)) return text.slice(1, -1);
    return /^-?\d/.test(text) ? Number(text) : text;
  });
}

/** What stands at the path. Own properties only: a provider's answer or a template never reaches a prototype. */
export function valuesAt(value: unknown, path: Path): unknown[] {
  return path.reduce<unknown[]>((found, step) => found.flatMap((parent) => inside(parent, step)), [value]);
}

/** As `valuesAt`, for a path without `*`. */
export function valueAt(value: unknown, path: Path): unknown {
  return valuesAt(value, path)[0];
}

/** As text, an XML element that has attributes is its text: a server may add some, and a path go on naming the element. */
export function textOfElement(value: unknown): unknown {
  const isElement = typeof value === 'object' && value !== null && Object.hasOwn(value, '#text');
  return isElement ? (value as { '#text': unknown })['#text'] : value;
}

function inside(parent: unknown, step: string | number): unknown[] {
  // An element without attributes is nothing but its text.
  if (step === '#text' && typeof parent === 'string') return [parent];
  if (typeof parent !== 'object' || parent === null) return [];
  if (step === '*') return Array.isArray(parent) ? parent : [];
  const key = typeof step === 'number' && step < 0 && Array.isArray(parent) ? parent.length + step : step;
  return Object.hasOwn(parent, key) ? [(parent as Record<string | number, unknown>)[key]] : [];
}
