const maxSeconds = 86_400;
const httpDate = /^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? [\w :-]+$/;

/**
 * RFC 9110 10.2.3: seconds, or an HTTP date, which is taken against the provider's own clock (its `Date` header).
 *
 * @param now ms since 1970, for answers without a `Date`
 * @returns seconds, from 0 to a day; undefined when there is none that can be read
 */
export function retryAfterSeconds(headers: Readonly<Record<string, string>>, now: number): number | undefined {
  const value = headers['retry-after']?.trim() ?? '';
  const seconds = /^\d+$/.test(value) ? Number(value) : secondsUntil(value, headers['date'], now);
  return seconds === undefined ? undefined : Math.min(Math.max(seconds, 0), maxSeconds);
}

function secondsUntil(value: string, providerDate: string | undefined, now: number): number | undefined {
  const until = httpDate.test(value) ? Date.parse(value) : NaN;
  const from = providerDate && httpDate.test(providerDate) ? Date.parse(providerDate) : NaN;
  if (Number.isNaN(until)) return undefined;
  return Math.ceil((until - (Number.isNaN(from) ? now : from)) / 1000);
}
