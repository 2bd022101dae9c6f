import { Problem } from '../problem';

/** What follows `/proxy/{name}` in a request's target, as it came. */
export interface Target {
  /** Empty, or beginning with a slash. */
  path: string;
  /** Without the question mark; absent where there was none. */
  query?: string;
}

const shape = /^\/proxy\/[^/?#]+(\/[^?#]*)?(?:\?([^#]*))?$/;
const visible = /^[\x21-\x7e]*$/;

/**
 * Paths go on as they came, byte for byte. Refused is what two programs might read in two ways: it could climb out of the
 * path that the definition begins with, or name another host.
 * @param url the request's target, as it stands in its first line
 * @throws Problem
 */
export function targetOf(url: string): Target {
  const [whole, path = '', query] = shape.exec(url) ?? [];
  if (whole === undefined) throw refused('its target is not of the form /proxy/{name}/{path}');
  if (!visible.test(url)) throw refused('its target has characters that must be percent-encoded');
  if (path.includes('\\')) throw refused('its path has a backslash');
  const encoded = /%(?:00|2f|5c)/i.exec(path)?.[0];
  if (encoded) throw refused(`its path has ${encoded}, which servers read in different ways`);
  if (/%(?![0-9a-f]{2})/i.test(path)) throw refused('its path has a "%" that encodes nothing');
  // What comes after ";" is no part of a segment to some servers, nor is a space at its end to others.
  const climbs = path
    .split('/')
    .some((segment) =>
      /^\.{1,2} *(?:;|$)/.test(segment.replace(/%2e/gi, '.').replace(/%3b/gi, ';').replace(/%20/g, ' ')),
    );
  if (climbs) throw refused('its path has a segment "." or ".."');
  return { path, ...(query !== undefined && { query }) };
}

/** What the provider wants to see in the query of each call takes the place of what the caller put there. */
export function queryWith(query: string | undefined, own: Readonly<Record<string, string>> = {}): string {
  const names = new Set(Object.keys(own));
  const given = query === undefined ? [] : [names.size === 0 ? query : without(query, names)];
  const added = names.size === 0 ? [] : [new URLSearchParams(own).toString()];
  const all = [...given, ...added].filter((part, index) => part !== '' || (index === 0 && names.size === 0));
  return all.length === 0 ? '' : `?${all.join('&')}`;
}

function without(query: string, names: ReadonlySet<string>): string {
  const nameOf = (pair: string) => [...new URLSearchParams(pair).keys()][0] ?? '';
  return query
    .split('&')
    .filter((pair) => !names.has(nameOf(pair)))
    .join('&');
}

function refused(why: string): Problem {
  return new Problem('request_not_forwarded', `The request is not forwarded: ${why}.`);
}
