import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { leashProcess, letGo } from '../harness/leash';
import type { Identity } from './authority';

/** Metadata of a client by RFC 7591 and RFC 8705; what is left out is oidc-provider's default, or client credentials. */
export type ClientMetadata = { client_id: string } & Record<string, unknown>;

/** One request that the issuer saw. A handshake that failed is none. */
export interface AskedRequest {
  method: string;
  path: string;
  /** Of the Authorization header, such as `Basic`. */
  scheme?: string;
  /** Of any kind, as they stood on the wire, and the token that was issued for them. */
  credentials: string[];
  /** Subject of the certificate that the client showed, as Node writes it: `CN=billing`. */
  certificate?: string;
  form: Record<string, string>;
  /** Of the answer. */
  status: number;
  /** Of a refusal: oidc-provider's own reason, which the answer does not tell. */
  why?: string;
}

export interface Resource {
  accessTokenFormat: 'jwt' | 'opaque';
  /** Seconds. */
  accessTokenTTL: number;
  scope: string;
  jwt?: { sign: { alg: string } };
}

export interface IssuerOptions {
  /** Its own certificate, for `localhost` unless the test is about another one. */
  tls: Identity;
  /** PEM of the authority whose client certificates it trusts. */
  clientAuthority: string;
  /** Whether a handshake without a certificate from there fails. */
  insist?: boolean;
  /** Of the issuer identifier, such as `/tenants/7`. */
  path?: string;
  /** RFC 8707: what tokens can be asked for. */
  resources?: Record<string, Resource>;
  /** Of tokens for no resource. */
  lifeSeconds?: number;
  scopes?: string[];
}

/** The issuer's process, and the line to it. */
export interface Issuer {
  /** `https://localhost:PORT`. */
  origin: string;
  /** Its issuer identifier: the origin, and the path if it has one. */
  identifier: string;
  tokenUrl: string;
  /** Where it asks for a client certificate. */
  mutualOrigin: string;
  mutualTokenUrl: string;
  pid: number;
  /** @throws when oidc-provider does not accept such a client */
  register(client: ClientMetadata): Promise<void>;
  /** Everything that it was asked since the last time that it was asked this. */
  asked(): Promise<AskedRequest[]>;
  stop(): Promise<void>;
}

/** Starts `oidc-provider`; it ends with `stop()`, or with this process. */
export async function startIssuer(options: IssuerOptions): Promise<Issuer> {
  const { tls, clientAuthority, insist = false, path = '' } = options;
  const { resources = {}, lifeSeconds = 600, scopes = ['read', 'write'] } = options;
  const child = fork(join(__dirname, 'server.mjs'), { execArgv: [], silent: true, detached: true });
  const { pid } = child;
  if (pid === undefined) throw new Error('Cannot run oidc-provider');
  const end = leashProcess(pid, 'TERM');
  const exited = once(child, 'exit');
  letGo(child);
  const call = callsTo(child);
  try {
    const origins = await call<Pick<Issuer, 'origin' | 'mutualOrigin'>>('start', {
      tls: { cert: tls.certificate, key: tls.privateKey },
      clientAuthority,
      insist,
      path,
      resources,
      lifeSeconds,
      scopes,
    });
    return {
      ...origins,
      identifier: origins.origin + path,
      tokenUrl: `${origins.origin}${path}/token`,
      mutualTokenUrl: `${origins.mutualOrigin}${path}/token`,
      pid,
      register: (client) => call('register', { client }),
      asked: () => call('asked'),
      stop: async () => {
        child.ref();
        await end();
        await exited;
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** Questions to the child and its answers, which may come in any order. */
function callsTo(child: ChildProcess): <Result>(verb: string, given?: object) => Promise<Result> {
  const waiting = new Map<number, { resolve: (result: unknown) => void; reject: (error: Error) => void }>();
  let printed = '';
  for (const stream of [child.stdout!, child.stderr!]) stream.on('data', (chunk) => (printed += chunk));
  child.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
    if (error === undefined) waiting.get(id)?.resolve(result);
    else waiting.get(id)?.reject(new Error(`oidc-provider: ${error}`));
  });
  child.on('exit', (code) => {
    for (const one of waiting.values()) one.reject(new Error(`oidc-provider ended (${code}). It printed:\n${printed}`));
  });
  let calls = 0;
  return async <Result>(verb: string, given = {}) => {
    const id = ++calls;
    const answer = new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
    // Only while somebody waits may the channel keep Jest from ending.
    child.channel?.ref();
    child.send({ id, verb, ...given }, (error) => error && waiting.get(id)?.reject(error));
    try {
      return (await answer) as Result;
    } finally {
      waiting.delete(id);
      if (waiting.size === 0) child.channel?.unref();
    }
  };
}
