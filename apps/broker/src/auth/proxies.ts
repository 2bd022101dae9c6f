import { BlockList, isIP } from 'node:net';

/** Proxies that the operator trusts to say whom they speak for. */
export class Proxies {
  readonly #trusted = new BlockList();
  readonly #any: boolean;

  /** @param networks addresses, or networks such as `10.0.0.0/8` */
  constructor(networks: readonly string[]) {
    this.#any = networks.length > 0;
    for (const network of networks) {
      const [address = '', bits] = network.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      this.#trusted.addSubnet(address, bits === undefined ? (family === 'ipv6' ? 128 : 32) : Number(bits), family);
    }
  }

  trusts(address: string): boolean {
    if (!this.#any) return false;
    const family = isIP(address);
    return family !== 0 && this.#trusted.check(address, family === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * Where a request comes from: each trusted proxy adds, at the end, the address that it saw. The right-most one that is
   * not of a trusted proxy is the last that nobody can have made up.
   */
  origin(address: string, forwardedFor: string | undefined): string {
    let seen = address;
    const hops = forwardedFor?.split(',') ?? [];
    while (this.trusts(seen)) {
      const hop = withoutPort(hops.pop()?.trim() ?? '');
      if (isIP(hop) === 0) return seen;
      seen = hop;
    }
    return seen;
  }
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(hop: string): string {
  return /^\[([^\]]+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([\d.]+):\d+$/.exec(hop)?.[1] ?? hop;
}
