import { lookup as systemLookup } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { buildConnector } from 'undici';
import { type AllowedOrigins, howToAllow, isPublicAddress, literalAddress } from './address';

/** The URL leads to an address that is not of the public internet, and the operator has not allowed its origin. */
export class AddressRefused extends Error {
  override readonly name = 'AddressRefused';
  readonly hint: string;

  constructor(url: URL, reason: string) {
    super(`${url.host} ${reason}`);
    this.hint = `If this provider is meant to be reached there, ${howToAllow(url)}.`;
  }
}

/** What a connection shows and trusts. */
export interface ClientTls {
  /** PEM: the client's certificate, or a chain that begins with it. */
  cert?: string;
  /** PEM, not encrypted. */
  key?: string;
  /** PEM of the authorities to trust in place of the public ones. */
  ca?: string;
}

/**
 * Opens connections to public addresses only, save to allowed origins. The check sits in the look-up that the connection
 * itself makes, so the address that was checked is the one connected to: a name that changes in between gains nothing.
 */
export function guardedConnector(options: {
  allowed: AllowedOrigins;
  timeoutMs: number;
  lookup?: LookupFunction;
  route?: (origin: string) => string;
  tls?: ClientTls;
}): buildConnector.connector {
  const { allowed, timeoutMs, lookup = systemLookup as LookupFunction, route = (origin) => origin } = options;
  const tls = { ...options.tls, rejectUnauthorized: true, minVersion: 'TLSv1.2' as const, timeout: timeoutMs };
  const unguarded = buildConnector({ ...tls, lookup });

  return (asked, callback) => {
    const url = new URL(route(new URL(`${asked.protocol}//${asked.host ?? asked.hostname}`).origin));
    // Wherever it is reached, a server has to prove that it is the one that was asked.
    const to = url.host === asked.host ? asked : { ...asked, ...targetOf(url), servername: asked.hostname };
    if (allowed.has(url)) return unguarded(to, callback);
    if (url.protocol !== 'https:') return callback(new AddressRefused(url, 'is not reached over https'), null);
    // No look-up is made for a literal address.
    const address = literalAddress(url.hostname);
    if (address !== undefined && !isPublicAddress(address)) {
      return callback(new AddressRefused(url, 'is a private or reserved address'), null);
    }
    // A connector of its own per URL is cheap beside the handshake that follows, and lets the refusal name the URL.
    return buildConnector({ ...tls, lookup: guardedLookup(url, lookup) })(to, callback);
  };
}

function targetOf({
  protocol,
  host,
  hostname,
  port,
}: URL): Pick<buildConnector.Options, 'protocol' | 'hostname' | 'host' | 'port'> {
  return { protocol, host, hostname: literalAddress(hostname) ?? hostname, port };
}

function guardedLookup(url: URL, lookup: LookupFunction): LookupFunction {
  return (hostname, options, callback) =>
    lookup(hostname, options, (error, address, family) => {
      if (error) return callback(error, address, family);
      const found = typeof address === 'string' ? [address] : address.map((one) => one.address);
      // One private address among public ones is enough: no honest name has both.
      if (!found.every(isPublicAddress)) {
        return callback(new AddressRefused(url, 'resolves to a private or reserved address'), '', 0);
      }
      return callback(null, address, family);
    });
}
