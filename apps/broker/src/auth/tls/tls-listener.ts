import { constants } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { FastifyInstance } from 'fastify';
import type { TlsFiles } from '../../config/tls';
import type { TlsCertificates } from './tls-certificates';

const handshakeTimeoutMs = 10_000;

/** The same routes over TLS, on a port of their own. A client certificate may be shown, and is not asked for in vain. */
export class TlsListener {
  readonly #server: Server;
  readonly #sockets = new Set<TLSSocket>();

  constructor(
    instance: FastifyInstance,
    private readonly certificates: TlsCertificates,
  ) {
    const { headersTimeout, requestTimeout, keepAliveTimeout } = instance.server;
    const options = { headersTimeout, requestTimeout, keepAliveTimeout, handshakeTimeout: handshakeTimeoutMs };
    this.#server = createServer({ ...options, ...optionsOf(certificates.files) }, (request, response) =>
      instance.routing(request, response),
    );
    this.#server.on('secureConnection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    for (const listener of instance.server.listeners('clientError'))
      this.#server.on('clientError', listener as (error: Error, socket: unknown) => void);
    certificates.onChange((files, before) => this.#replace(files, before));
  }

  /** @returns where it is reached */
  async listen(host: string): Promise<string> {
    this.#server.listen(this.certificates.settings.port, host);
    await once(this.#server, 'listening');
    const { address, port, family } = this.#server.address() as AddressInfo;
    return `https://${family === 'IPv6' ? `[${address}]` : address}:${port}`;
  }

  #replace(files: TlsFiles, before: TlsFiles): void {
    this.#server.setSecureContext(optionsOf(files));
    if (files.ca === before.ca) return;
    // Certificates of an authority that is not trusted any more count for nothing on open connections either.
    for (const socket of this.#sockets) socket.authorized = false;
    this.#server.closeIdleConnections();
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    await closed;
  }
}

function optionsOf({ cert, key, ca }: TlsFiles): ServerOptions {
  return {
    ...{ cert, key, ...(ca !== undefined && { ca }) },
    ...{ minVersion: 'TLSv1.2', requestCert: ca !== undefined, rejectUnauthorized: false },
    // A session that is taken up again would bring the judgement of a certificate with it.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
