import type { ServerOptions } from 'node:https';
import { TLSSocket } from 'node:tls';
import { type ReceivedRequest, startProvider } from '../harness/local-provider';
import type { StubAnswer } from './stub-issuer';

export interface StubServer {
  origin: string;
  /** Answers from now on. */
  issuer: { answer(request: ReceivedRequest): StubAnswer };
  close(): Promise<void>;
}

/**
 * A real server on loopback that stands in for every host there is.
 *
 * @param tls with it the server is spoken to in TLS, and tells its issuer of the client's certificate in a header
 */
export async function startStubServer(tls?: ServerOptions): Promise<StubServer> {
  const { origin, close } = await startProvider(({ socket }, response, asked) => {
    if (socket instanceof TLSSocket)
      asked.headers['x-client-certificate'] = String(socket.getPeerCertificate().subject?.CN);
    const { status, headers, body } = stub.issuer.answer(asked);
    response.writeHead(status, headers).end(body);
  }, tls);
  const stub: StubServer = { origin, issuer: { answer: () => ({ status: 503, headers: {}, body: '' }) }, close };
  return stub;
}
