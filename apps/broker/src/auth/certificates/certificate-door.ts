import type { X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { LRUCache } from 'lru-cache';
import type { CertificateSettings } from '../../config/tls';
import type { Credentials } from '../credentials';
import { type Proof, Refusal } from '../principal';
import type { Proxies } from '../proxies';
import type { Seldom } from '../seldom';
import { readCertificateHeader } from './certificate-header';
import { type CertificateNames, namesIn, serviceOf } from './certificate-names';

const maxHeaders = 1_000;
const maxHeaderChars = 16_384;

/** Who comes with a client certificate: on a TLS connection of ours, or as a trusted proxy tells. */
export class CertificateDoor {
  readonly #connections = new WeakMap<Socket, Proof | Refusal>();
  readonly #headers = new LRUCache<string, Proof | Refusal>({ max: maxHeaders });

  constructor(
    private readonly settings: CertificateSettings,
    private readonly proxies: Proxies,
    private readonly seldom: Seldom,
  ) {}

  /** `undefined`: none was shown. A header from anybody but a trusted proxy is none. */
  find({ socket, address, headers }: Credentials): Proof | Refusal | undefined {
    const { header } = this.settings;
    const told = header === undefined ? undefined : headers?.[header];
    if (typeof told === 'string' && told !== '' && this.proxies.trusts(address)) return this.#fromHeader(header!, told);
    return socket && 'authorized' in socket ? this.#fromConnection(socket as TLSSocket) : undefined;
  }

  #fromConnection(socket: TLSSocket): Proof | Refusal | undefined {
    const known = this.#connections.get(socket);
    if (known) return still(known);
    const certificate = socket.getPeerX509Certificate();
    if (!certificate) return undefined;
    const found = socket.authorized
      ? // Nobody's as soon as the authorities are others (see the TLS listener).
        this.#judge(namesIn(certificate), certificate, () => socket.authorized)
      : this.#refuse(String(socket.authorizationError), { subject: certificate.subject });
    this.#connections.set(socket, found);
    return still(found);
  }

  #fromHeader(name: string, value: string): Proof | Refusal {
    const known = this.#headers.get(value);
    if (known) return still(known);
    const found = this.#read(name, value);
    this.#headers.set(value, found);
    return still(found);
  }

  #read(name: string, value: string): Proof | Refusal {
    try {
      if (value.length > maxHeaderChars) throw new Error('it is too long');
      const { names, certificate } = readCertificateHeader(name, value);
      return this.#judge(names, certificate, () => true);
    } catch (error) {
      return this.#refuse(`the header ${name} cannot be read: ${(error as Error).message}`, {});
    }
  }

  #judge(names: CertificateNames, certificate: X509Certificate | undefined, counts: () => boolean): Proof | Refusal {
    const name = serviceOf(names, this.settings);
    if (name === undefined)
      return this.#refuse('it stands for no service, or for several: compare CLIENT_CERTIFICATE_SERVICE', { names });
    const [from, to] = certificate
      ? [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)]
      : [0, Infinity];
    const holds = (): boolean => counts() && from <= Date.now() && Date.now() < to;
    return { principal: { kind: 'service', name }, holds };
  }

  #refuse(why: string, fields: Record<string, unknown>): Refusal {
    this.seldom.say('a client certificate was refused', { why, ...fields });
    return new Refusal('certificate');
  }
}

/** It may have expired since. */
function still(found: Proof | Refusal): Proof | Refusal {
  return found instanceof Refusal || found.holds() ? found : new Refusal('certificate');
}
