import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import { type Fleet, startFleet } from './fleet';

export type Upstream = (request: IncomingMessage, response: ServerResponse) => void;

/** A fleet with one broker, an issuer and API in one whose every answer the test decides, and a service. */
export interface ProxyRoom {
  fleet: Fleet;
  /** Of the API. */
  origin: string;
  /** What the API does with a call. */
  upstream: Upstream;
  /** Calls that reached the API: method, target and headers. */
  received: IncomingMessage[];
  /** Tokens that the issuer gave. */
  issued: number;
  key: string;
  call(path: string, options?: CallOptions): Promise<Called>;
  /** Bytes as they are, over a connection of their own, and what comes back until that closes. */
  raw(text: string): Promise<string>;
  close(): Promise<void>;
}

export interface CallOptions {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: Buffer | string;
  client?: string;
  key?: string;
}

export interface Called {
  status: number;
  headers: IncomingMessage['headers'];
  rawHeaders: string[];
  text: string;
  json: any;
}

const definition = {
  id: 'acme',
  inputs: { base_url: { format: 'url' }, secret: { secret: true }, unit: { default: 'head-office' } },
  steps: [
    { id: 't', method: 'POST', url: '{{inputs.base_url}}/token', body: { form: { secret: '{{inputs.secret}}' } } },
  ],
  token: { value: '{{steps.t.body.access_token}}', expiry: [{ in: '{{steps.t.body.expires_in}}' }] },
  present: {
    headers: { Authorization: 'Bearer {{token}}', 'X-Unit': '{{inputs.unit}}' },
    query: { app: 'token-broker' },
    override: ['X-Unit'],
  },
  api: { base_url: '{{inputs.base_url}}/api/v1' },
  renew: { invalid_when: [{ status: [401, 498] }, { path: 'status.code', in: [401, 498] }] },
};

export async function startProxyRoom(env: Record<string, string> = {}): Promise<ProxyRoom> {
  const room = {
    issued: 0,
    received: [] as IncomingMessage[],
    upstream: ((_request, response) => response.end('ok')) as Upstream,
  };
  const server = createServer({ keepAliveTimeout: 1 }, (asked, response) => {
    if (asked.url === '/token') {
      const token = `token-${++room.issued}`;
      response.setHeader('content-type', 'application/json');
      return response.end(JSON.stringify({ access_token: token, expires_in: 600 }));
    }
    room.received.push(asked);
    room.upstream(asked, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const fleet = await startFleet(1, { ALLOWED_PROVIDER_HOSTS: origin, ...env });
  const broker = new URL(fleet.brokers[0]!.url);
  const must = async (method: string, path: string, body: unknown): Promise<any> => {
    const answer = await fleet.admin(method, path, body);
    if (answer.status >= 300) throw new Error(JSON.stringify(answer.body));
    return answer.body;
  };
  await must('POST', '/v1/providers', { definition });
  await must('POST', '/v1/providers', { definition: { ...definition, id: 'no-api', api: undefined } });
  const inputs = { base_url: origin, secret: 's' };
  for (const [name, provider] of [
    ['eu', 'acme'],
    ['lost', 'no-api'],
    ['other', 'acme'],
    ['off', 'acme'],
  ])
    await must('POST', '/v1/clients', { name, provider, inputs });
  const key = await fleet.service('shop', 'eu', 'lost', 'off');

  return Object.assign(room, {
    ...{ fleet, origin, key },
    call: (path: string, { method = 'GET', headers = {}, body, client = 'eu', key: as = key }: CallOptions = {}) =>
      new Promise<Called>((resolve, reject) => {
        const sent = request(
          {
            host: broker.hostname,
            port: broker.port,
            method,
            path: `/proxy/${client}${path}`,
            agent: false,
            headers: { authorization: `Bearer ${as}`, ...headers },
          },
          (answer) => {
            const chunks: Buffer[] = [];
            answer.on('data', (chunk: Buffer) => chunks.push(chunk));
            answer.once('error', reject);
            answer.once('end', () => {
              const text = Buffer.concat(chunks).toString();
              const json = answer.headers['content-type']?.includes('json') ? JSON.parse(text) : undefined;
              resolve({
                status: answer.statusCode!,
                headers: answer.headers,
                rawHeaders: answer.rawHeaders,
                text,
                json,
              });
            });
          },
        );
        sent.once('error', reject);
        sent.end(body);
      }),
    raw: (text: string) =>
      new Promise<string>((resolve, reject) => {
        const socket = connect(Number(broker.port), broker.hostname);
        let answer = '';
        socket.setEncoding('latin1').on('data', (chunk) => (answer += chunk));
        socket.once('close', () => resolve(answer)).once('error', reject);
        socket.write(text, 'latin1');
      }),
    close: async () => {
      await fleet.stop();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  });
}
