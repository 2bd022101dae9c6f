import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/** A provider on loopback that remembers what it was asked, and answers as it is told. */
export interface Issuer {
  url: string;
  received: Received[];
  /** Status and JSON of its answers from now on. */
  answer: (request: Received) => { status?: number; body: unknown };
  close(): Promise<void>;
}

export async function startIssuer(): Promise<Issuer> {
  let tokens = 0;
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => (body += chunk));
    request.on('end', () => {
      const asked = { path: request.url!, headers: request.headers, body };
      received.push(asked);
      const { status = 200, body: json } = issuer.answer(asked);
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer: Issuer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer: () => ({ body: { access_token: `token-${(tokens += 1)}-of-the-issuer`, expires_in: 300 } }),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return issuer;
}
