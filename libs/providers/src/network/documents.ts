import { AllowedOrigins, urlFault } from './address';
import type { AddressRefused } from './connector';
import { Network } from './network';

/** A document could not be had. The message says why, in a sentence that can be shown to an operator. */
class DocumentUnreadable extends Error {
  override readonly name = 'DocumentUnreadable';
}

export interface DocumentOptions {
  /** PEM of the authorities to trust in place of the public ones. */
  ca?: string | undefined;
  /** Of the header `Authorization: Bearer`. */
  bearer?: string | undefined;
}

/**
 * Reads a JSON object that an operator's setting leads to, such as the keys of an issuer.
 * @throws DocumentUnreadable
 */
export type ReadDocument = (url: URL, options?: DocumentOptions) => Promise<Record<string, unknown>>;

const connectMs = 2_000;
const totalMs = 5_000;

/** Under the rules for token requests: https and public addresses unless allowed, no redirects, 64 KB, a deadline. */
export function createDocumentReader({ allowedOrigins }: { allowedOrigins: readonly string[] }): ReadDocument {
  const allowed = new AllowedOrigins(allowedOrigins);
  const network = new Network({ allowed, connectMs, totalMs });
  return async (url, { ca, bearer } = {}) => {
    const fault = urlFault(url, allowed);
    if (fault !== undefined) throw new DocumentUnreadable(`${url.href} ${fault}`);
    const headers = {
      accept: 'application/json, application/jwk-set+json',
      'user-agent': 'token-broker',
      ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
    };
    const request = { method: 'GET', url, headers, ...(ca !== undefined && { tls: { ca } }) } as const;
    const { status, body } = await network.exchange(request, AbortSignal.timeout(totalMs)).catch((error: unknown) => {
      const { message, hint } = error as Error & Partial<AddressRefused>;
      const why = hint === undefined ? message : `${message}. ${hint}`;
      throw new DocumentUnreadable(`${url.href} could not be read: ${why}`, { cause: error });
    });
    if (status !== 200) throw new DocumentUnreadable(`${url.href} was answered with HTTP ${status}`);
    if (typeof body !== 'object' || body === null || Array.isArray(body))
      throw new DocumentUnreadable(`${url.href} holds no JSON object`);
    return body as Record<string, unknown>;
  };
}
