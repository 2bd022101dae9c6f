import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock';
import { ProviderMisconfigured } from '../failures/errors';
import type { Failures } from '../failures/failure';
import { type AllowedOrigins, slashless, urlFault } from '../network/address';
import type { ClientTls } from '../network/connector';
import type { WireAnswer, WireRequest } from '../network/network';
import { usualHeaders } from './write-request';

const freshMs = 3_600_000;
const maxIssuers = 1_000;

export type Exchange = (request: WireRequest) => Promise<WireAnswer>;

/** Issuers' metadata, kept for an hour; an older copy serves while the issuer does not answer. */
export class IssuerMetadata {
  readonly #known = new LRUCache<string, { metadata: object; readAt: number }>({ max: maxIssuers });

  constructor(
    private readonly clock: Clock,
    private readonly allowed: AllowedOrigins,
  ) {}

  /** @throws ProviderError, or whatever the exchange throws */
  async of(issuer: URL, exchange: Exchange, failures: Failures, tls?: ClientTls): Promise<object> {
    // What was read from a server that one client trusts is not for a client that does not.
    const key = `${issuer.href} ${tls?.ca ?? ''}`;
    const known = this.#known.get(key);
    if (known && this.clock.monotonic() - known.readAt < freshMs) return known.metadata;
    try {
      const metadata = await this.#read(issuer, exchange, failures, tls);
      this.#known.set(key, { metadata, readAt: this.clock.monotonic() });
      return metadata;
    } catch (error) {
      if (known) return known.metadata;
      throw error;
    }
  }

  async #read(issuer: URL, exchange: Exchange, failures: Failures, tls?: ClientTls): Promise<object> {
    const fault = urlFault(issuer, this.allowed);
    if (fault !== undefined) throw new ProviderMisconfigured({ message: `the issuer's URL ${fault}`, reached: false });
    let answer: WireAnswer | undefined;
    for (const url of metadataUrls(issuer)) {
      answer = await exchange({ method: 'GET', url, headers: usualHeaders('json'), ...(tls && { tls }) });
      if (answer.isSuccess || answer.status >= 500 || answer.status === 429) break;
    }
    const failure = failures.ofMetadata(answer!);
    if (failure) throw failure;
    const metadata = answer!.body as { issuer?: unknown };
    if (typeof metadata.issuer !== 'string' || slashless(metadata.issuer) !== slashless(issuer.href)) {
      // RFC 8414 3.3: metadata of another issuer must not be used.
      throw failures.ofToken(
        "the issuer's metadata names another issuer",
        'Enter the issuer exactly as its metadata names it.',
        answer!,
      );
    }
    return metadata;
  }
}

/** OpenID Connect Discovery 1.0 section 4 appends to the path, RFC 8414 section 3.1 puts in front of it. */
export function metadataUrls(issuer: URL): URL[] {
  const path = slashless(issuer.pathname);
  return [
    new URL(`${issuer.origin}${path}/.well-known/openid-configuration`),
    new URL(`${issuer.origin}/.well-known/oauth-authorization-server${path}`),
  ];
}
