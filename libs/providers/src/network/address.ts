import ipaddr from 'ipaddr.js';

/**
 * Whether the address is one of the public internet. Everything else is not: private, loopback, link-local, shared
 * (CGNAT), unique local, unspecified, multicast, reserved, and the IPv6 forms that carry an IPv4 address inside
 * (v4-mapped, v4-compatible, NAT64, 6to4, Teredo), since what they reach is decided by that inner address.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // Global unicast is 2000::/3 (RFC 4291 2.4); ipaddr.js calls ::10.0.0.1 and other unassigned space unicast too.
  return parsed.kind() === 'ipv4' || (parsed.toByteArray()[0]! & 0xe0) === 0x20;
}

/** The IP address that a URL's hostname is, if it is one. `new URL` has already normalised 0x7f.1 and the like. */
export function literalAddress(hostname: string): string | undefined {
  const bare = hostname.replace(/^\[(.*)\]$/, '$1');
  return ipaddr.isValid(bare) ? bare : undefined;
}

/** The operator's list of origins where plain http and private addresses are fine. */
export class AllowedOrigins {
  readonly #origins: ReadonlySet<string>;

  /** @param origins such as `http://127.0.0.1:9000` */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins.map((origin) => new URL(origin).origin));
  }

  has(url: URL): boolean {
    return this.#origins.has(url.origin);
  }
}

/** Why no secret may be sent to that URL, as far as the URL alone tells; what its name resolves to is checked at connect. */
export function urlFault(url: URL, allowed: AllowedOrigins): string | undefined {
  if (url.username !== '' || url.password !== '') return 'must not hold a user name or a password';
  if (url.hash !== '') return 'must not have a fragment (#)';
  if (allowed.has(url)) return undefined;
  if (url.protocol !== 'https:') return `must begin with https://; ${howToAllow(url)}`;
  const address = literalAddress(url.hostname);
  if (address === undefined ? /(^|\.)localhost\.?$/.test(url.hostname) : !isPublicAddress(address)) {
    return `names a private or reserved address; ${howToAllow(url)}`;
  }
  return undefined;
}

/** Why the URL's host is none of those listed: exact, or `*.` and a suffix. */
export function hostFault(url: URL, hosts: readonly string[]): string | undefined {
  const named = (host: string): boolean => {
    // The port of https is written or left out, by the definition as by the URL.
    const pattern = host.replace(/:443$/, '');
    return pattern.startsWith('*.') ? url.host.endsWith(pattern.slice(1)) : url.host === pattern;
  };
  return hosts.some(named) ? undefined : `must name one of the hosts ${hosts.join(', ')}`;
}

export function howToAllow(url: URL): string {
  return `the operator can allow it by adding ${url.origin} to ALLOWED_PROVIDER_HOSTS`;
}

/** Without the slashes that it ends with. The look-behind keeps the search linear: 64 KB of slashes may come from an issuer. */
export function slashless(text: string): string {
  return text.replace(/(?<!\/)\/+$/, '');
}
