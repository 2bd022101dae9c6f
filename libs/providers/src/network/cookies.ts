import { parseCookie } from 'undici';

/** A cookie as the answer sets it (RFC 6265). */
export interface AnswerCookie {
  value: string;
  /** Seconds. */
  max_age?: number;
  /** HTTP date. */
  expires?: string;
}

/** Cookies by name; the last of a name stands. */
export function readCookies(setCookie: string | string[] | undefined): Record<string, AnswerCookie> {
  const cookies = Object.create(null) as Record<string, AnswerCookie>;
  for (const line of [setCookie ?? []].flat()) {
    const { name, value, maxAge, expires } = parsed(line) ?? {};
    if (!name || value === undefined) continue;
    const at = expires instanceof Date ? expires : new Date(Number(expires));
    cookies[name] = {
      value,
      ...(maxAge !== undefined && { max_age: maxAge }),
      ...(expires !== undefined && !Number.isNaN(at.getTime()) && { expires: at.toUTCString() }),
    };
  }
  return cookies;
}

function parsed(line: string): ReturnType<typeof parseCookie> {
  try {
    return parseCookie(line);
  } catch {
    return null;
  }
}
