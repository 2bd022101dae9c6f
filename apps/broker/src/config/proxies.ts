import { isIP } from 'node:net';

/** Addresses and networks of proxies, such as `10.0.0.0/8,2001:db8::/32`. */
export function readProxies(given: readonly string[], faults: string[]): string[] {
  for (const network of given) {
    const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
    const family = isIP(address);
    if (family === 0 || Number(bits ?? 0) > (family === 6 ? 128 : 32))
      faults.push(
        `TRUSTED_PROXIES must be addresses or networks such as 10.0.0.0/8, separated by commas; not "${network}"`,
      );
  }
  return [...given];
}
