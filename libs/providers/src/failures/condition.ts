import type { Condition, Text } from '../language/definition';
import { parsePath, textOfElement, valuesAt } from '../templates/path';

/** What a condition looks at. */
export interface Answer {
  readonly status: number;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  /** What the text means; undefined when it could not be read. */
  readonly body: unknown;
}

export function holds(condition: Condition, answer: Answer): boolean {
  const { status, path, header, contains } = condition;
  if (status !== undefined && ![status].flat().includes(answer.status)) return false;
  if (path === undefined && header === undefined) return contains === undefined || answer.text.includes(contains);
  const values =
    path === undefined ? [headerOf(answer, header!)] : valuesAt(answer.body, parsePath(path) ?? []).map(textOfElement);
  const found = values.filter((value) => value !== null && value !== undefined);
  const is = (expected: Text): boolean => found.some((value) => isText(value, expected));
  if (condition.exists && found.length === 0) return false;
  if (condition.absent && found.length > 0) return false;
  if (condition.non_empty && !found.some(isNonEmpty)) return false;
  if (contains !== undefined && !found.some((value) => typeof value === 'string' && value.includes(contains)))
    return false;
  if (condition.equals !== undefined && !is(condition.equals)) return false;
  if (condition.not_equals !== undefined && is(condition.not_equals)) return false;
  if (condition.in && !condition.in.some(is)) return false;
  return !condition.not_in?.some(is);
}

function headerOf({ headers }: Answer, name: string): string | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(headers, key) ? headers[key] : undefined;
}

/** Compared as text, because one provider sends 401 and another "401", and some send both. Nothing, and a list, is no text. */
export function isText(value: unknown, expected: Text): boolean {
  return value !== undefined && typeof value !== 'object' && String(value) === String(expected);
}

/** False, 0 and "" are empty too: `error: false` and `error: ""` accompany success at some providers. */
function isNonEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}
