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

/**
 * Opens connections to public addresses only, save to allowed origins. The check sits in the look-up that the connection
 * itself makes, so the address that was checked is the one connected to: a name that changes in between gains nothing.
 */
export function guardedConnector(
  allowed: AllowedOrigins,
  timeoutMs: number,
  lookup: LookupFunction = systemLookup as LookupFunction,
): buildConnector.connector {
  const tls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' as const, timeout: timeoutMs };
  const unguarded = buildConnector({ ...tls, lookup });

  return (options, callback) => {
    const url = new URL(`${options.protocol}//${options.host ?? options.hostname}`);
    if (allowed.has(url)) return unguarded(options, callback);
    if (url.protocol !== 'https:') return callback(new AddressRefused(url, 'is not reached over https'), null);
    // No look-up is made for a literal address.
    const address = literalAddress(url.hostname);
    if (address !== undefined && !isPublicAddress(address)) {
      return callback(new AddressRefused(url, 'is a private or reserved address'), null);
    }
    // A connector of its own per URL is cheap beside the handshake that follows, and lets the refusal name the URL.
    return buildConnector({ ...tls, lookup: guardedLookup(url, lookup) })(options, callback);
  };
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
