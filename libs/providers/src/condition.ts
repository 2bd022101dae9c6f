import type { Condition } from './definition';
import { parsePath, valuesAt } from './path';

/** What a condition looks at: an HTTP status and the JSON body, undefined when the body is not JSON. */
export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export function holds(condition: Condition, answer: Answer): boolean {
  const { status, path } = condition;
  if (status !== undefined && ![status].flat().includes(answer.status)) return false;
  if (path === undefined) return true;
  const found = valuesAt(answer.body, parsePath(path) ?? []).filter((value) => value !== null && value !== undefined);
  if (condition.exists && found.length === 0) return false;
  if (condition.absent && found.length > 0) return false;
  if (condition.non_empty && !found.some(isNonEmpty)) return false;
  if (condition.equals !== undefined && !found.some((value) => isText(value, condition.equals))) return false;
  return condition.in === undefined || found.some((value) => condition.in!.some((one) => isText(value, one)));
}

/** Compared as text, because one provider sends 401 and another "401", and some send both. */
function isText(value: unknown, expected: unknown): boolean {
  return typeof value !== 'object' && String(value) === String(expected);
}

/** False, 0 and "" are empty too: `error: false` and `error: ""` accompany success at some providers. */
function isNonEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : Boolean(value);
}
