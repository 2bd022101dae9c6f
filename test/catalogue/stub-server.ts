import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { StubAnswer, StubRequest } from './stub-issuer';

export interface StubServer {
  origin: string;
  /** Answers from now on. */
  issuer: { answer(request: StubRequest): StubAnswer };
  close(): Promise<void>;
}

/**
 * A real server on loopback that stands in for every host there is.
 *
 * @param tls with it the server is spoken to in TLS, and tells its issuer of the client's certificate in a header
 */
export async function startStubServer(tls?: ServerOptions): Promise<StubServer> {
  const listener: RequestListener = (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const { method, url, headers, socket } = request;
      if (socket instanceof TLSSocket)
        headers['x-client-certificate'] = String(socket.getPeerCertificate().subject?.CN);
      const answer = stub.issuer.answer({ method: method!, target: url!, headers, body });
      response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  };
  const server = tls ? createTlsServer(tls, listener) : createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stub: StubServer = {
    origin: `${tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    issuer: { answer: () => ({ status: 503, headers: {}, body: '' }) },
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
  return stub;
}
