import type { Api } from '#providers';
import type { ServableToken } from '#tokens';

/** Name, value, name, value: as Node and undici have headers that came more than once. */
export type RawHeaders = readonly string[];

/** RFC 9110 7.6.1 and what else belongs to one connection. */
const hopByHop = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authorization', 'proxy-authentication-info', 'http2-settings'],
]);

/** Who the caller is, is between it and us; and undici writes the host, and answers an expectation, itself. */
const callersOwn = new Set([
  ...['authorization', 'host', 'expect', 'forwarded', 'x-real-ip', 'via'],
  ...['client-cert', 'client-cert-chain', 'x-ssl-client-cert', 'x-client-cert'],
]);

const pseudonym = 'token-broker';

/** What goes to the API: what the caller sent, less what is between it and us, and what the provider wants to see. */
export function requestHeaders(
  given: RawHeaders,
  {
    token,
    api,
    keepsLength,
  }: { token: Pick<ServableToken, 'headers'>; api: Pick<Api, 'overridable'>; keepsLength: boolean },
): string[] {
  const dropped = namedIn(given, 'connection');
  const kept = pairs(given).filter(([name]) => {
    if (hopByHop.has(name) || callersOwn.has(name) || dropped.has(name) || name.startsWith('x-forwarded-'))
      return false;
    return name !== 'content-length' || keepsLength;
  });
  const brought = new Set(kept.map(([name]) => name));
  const own = Object.entries(token.headers).filter(([name]) => {
    const lower = name.toLowerCase();
    return !(api.overridable.has(lower) && brought.has(lower));
  });
  const replaced = new Set(own.map(([name]) => name.toLowerCase()));
  const cookies = own.find(([name]) => name.toLowerCase() === 'cookie')?.[1];
  const out = kept.flatMap(([name, value, written]) => (replaced.has(name) ? [] : [written, value]));
  for (const [name, value] of own) if (name.toLowerCase() !== 'cookie') out.push(name, value);
  if (cookies !== undefined) out.push('Cookie', withCookies(kept, cookies));
  out.push('Via', viaWith(given));
  return out;
}

/** What goes to the caller. Several of one name stay several. */
export function responseHeaders(given: RawHeaders): string[] {
  const dropped = namedIn(given, 'connection');
  const out = pairs(given).flatMap(([name, value, written]) =>
    hopByHop.has(name) || dropped.has(name) || name === 'tokenbroker-origin' || name === 'via' ? [] : [written, value],
  );
  return [...out, 'Via', viaWith(given), 'tokenbroker-origin', 'upstream'];
}

/** By lower-case name, several joined by commas. */
export function joined(given: RawHeaders): Record<string, string> {
  const all = Object.create(null) as Record<string, string>;
  for (const [name, value] of pairs(given)) all[name] = name in all ? `${all[name]}, ${value}` : value;
  return all;
}

function viaWith(given: RawHeaders): string {
  return [...pairs(given).flatMap(([name, value]) => (name === 'via' ? [value] : [])), `1.1 ${pseudonym}`].join(', ');
}

/** The caller's cookies, but for those that the provider's take the place of. */
function withCookies(kept: readonly (readonly [string, string, string])[], own: string): string {
  const nameOf = (cookie: string) => cookie.split('=', 1)[0]!.trim();
  const names = new Set(own.split(';').map(nameOf));
  const given = kept.flatMap(([name, value]) => (name === 'cookie' ? value.split(';').map((one) => one.trim()) : []));
  return [...given.filter((cookie) => cookie !== '' && !names.has(nameOf(cookie))), own].join('; ');
}

function namedIn(given: RawHeaders, header: string): ReadonlySet<string> {
  const values = pairs(given).flatMap(([name, value]) => (name === header ? value.split(',') : []));
  return new Set(values.map((name) => name.trim().toLowerCase()));
}

/** Lower-case name, value, name as it was written. */
function pairs(given: RawHeaders): [string, string, string][] {
  return Array.from({ length: given.length / 2 }, (_, i) => [
    given[2 * i]!.toLowerCase(),
    given[2 * i + 1]!,
    given[2 * i]!,
  ]);
}
