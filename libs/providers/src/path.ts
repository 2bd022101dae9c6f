/** Steps from a JSON value to a value inside it; `*` stands for every element of an array. */
export type Path = readonly (string | number)[];

const pathPattern = /^[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*|\[(?:\d{1,6}|\*)\])*$/;

/** Reads `errors[0].code`; undefined when it is not a path. */
export function parsePath(source: string): Path | undefined {
  if (!pathPattern.test(source)) return undefined;
  return [...source.matchAll(/[A-Za-z_][\w-]*|\d+|\*/g)].map(([part]) => (/^\d/.test(part) ? Number(part) : part));
}

/** What stands at the path. Own properties only: a provider's answer or a template never reaches a prototype. */
export function valuesAt(value: unknown, path: Path): unknown[] {
  return path.reduce<unknown[]>((found, part) => found.flatMap((parent) => inside(parent, part)), [value]);
}

/** As `valuesAt`, for a path without `*`. */
export function valueAt(value: unknown, path: Path): unknown {
  return valuesAt(value, path)[0];
}

function inside(parent: unknown, part: string | number): unknown[] {
  if (typeof parent !== 'object' || parent === null) return [];
  if (part === '*') return Array.isArray(parent) ? parent : [];
  return Object.hasOwn(parent, part) ? [(parent as Record<string | number, unknown>)[part]] : [];
}
