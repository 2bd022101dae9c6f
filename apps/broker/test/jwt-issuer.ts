import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type GenerateKeyPairResult, type JWTPayload, SignJWT } from 'jose';

/** An issuer of JWTs, made here so that it can do what no honest one does. */
export interface JwtIssuerStub {
  /** Its origin, which is also its issuer identifier. */
  url: string;
  /** What was asked for, since the last time this was asked. */
  asked(): string[];
  /** The headers of the last request. */
  lastHeaders(): IncomingMessage['headers'];
  /** A good token, unless told otherwise; `undefined` leaves a claim out. */
  sign(claims?: Record<string, unknown>, header?: Record<string, unknown>): Promise<string>;
  /** From now on it signs with another key, and shows that alone. */
  rotate(): Promise<void>;
  /** What it answers in place of its keys. */
  answerWith(answer: { status?: number; keys?: object; metadata?: object } | undefined): void;
  /** Its present public key, as it is shown. */
  publicKey(): Promise<object>;
  stop(): Promise<void>;
}

export async function startJwtIssuer(alg = 'ES256'): Promise<JwtIssuerStub> {
  let keys: GenerateKeyPairResult;
  let kid = 0;
  let instead: { status?: number; keys?: object; metadata?: object } | undefined;
  let asked: string[] = [];
  let headers: IncomingMessage['headers'] = {};
  const publicKey = async () => ({ ...(await exportJWK(keys.publicKey)), kid: String(kid), use: 'sig', alg });
  const rotate = async () => {
    keys = await generateKeyPair(alg, { extractable: true });
    kid++;
  };
  await rotate();
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    asked.push(request.url!);
    ({ headers } = request);
    const { status = 200, keys: shown = { keys: [await publicKey()] }, metadata } = instead ?? {};
    const body: Record<string, object> = {
      '/.well-known/openid-configuration': { issuer: url, jwks_uri: `${url}/keys`, ...metadata },
      '/keys': shown,
    };
    const found = body[request.url!];
    response.writeHead(found ? status : 404, { 'content-type': 'application/json' }).end(JSON.stringify(found ?? {}));
  };
  const server = createServer((request, response) => void answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    rotate,
    publicKey,
    asked: () => asked.splice(0),
    lastHeaders: () => headers,
    answerWith: (answered) => void (instead = answered),
    sign: (claims = {}, header = {}) => {
      const now = Math.floor(Date.now() / 1_000);
      const all = { iss: url, aud: 'token-broker', sub: 'checkout', iat: now, exp: now + 300, ...claims };
      const payload = JSON.parse(JSON.stringify(all)) as JWTPayload;
      const protectedHeader = JSON.parse(JSON.stringify({ alg, kid: String(kid), typ: 'at+jwt', ...header }));
      return new SignJWT(payload).setProtectedHeader(protectedHeader).sign(keys.privateKey);
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
