import { isName } from '../admin/name';

/** The head of a request for a token, in the one shape that the lane reads. */
export interface TokenHead {
  name: string;
  minTtl?: string;
  /** By name in lower case, as Node has them. None came twice. */
  headers: Record<string, string>;
  /** The caller wants the connection closed after the answer. */
  close: boolean;
}

/** Longer ones are left to Node, whose own limit is 16 KB. */
const maxHeadBytes = 8 * 1024;
/** More are left to Node as well, which overlooks those after the first thousand. */
const maxHeaders = 200;

const requestLine = /GET \/v1\/clients\/([a-z0-9._-]{1,63})\/token(?:\?min_ttl=(\d{1,6}))? HTTP\/1\.1\r\n/y;
/** RFC 9110 5.1 and 5.5, without folding, bytes beyond ASCII, or more white space than anybody sends. */
const headerLine = /([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?((?:[!-~](?:[ \t!-~]*[!-~])?)?)\r\n/y;

/** They change how a request is framed, routed or answered: whoever sends them gets Node's and Fastify's own treatment. */
const leftToOthers = new Set([
  'accept-version',
  'content-length',
  'expect',
  'http2-settings',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  '__proto__',
]);

/**
 * Reads what is exactly one complete head, which every parser of HTTP reads alike; `undefined` for anything else, and for
 * all that there is any doubt about.
 */
export function readHead(bytes: Buffer): TokenHead | undefined {
  if (bytes.length > maxHeadBytes) return undefined;
  const text = bytes.toString('latin1');
  requestLine.lastIndex = 0;
  const request = requestLine.exec(text);
  if (!request || !isName(request[1]!)) return undefined;
  const headers: Record<string, string> = Object.create(null) as Record<string, string>;
  let at = requestLine.lastIndex;
  const end = text.length - 2;
  for (let count = 0; at < end; count++) {
    if (count === maxHeaders) return undefined;
    headerLine.lastIndex = at;
    const line = headerLine.exec(text);
    if (!line) return undefined;
    const name = line[1]!.toLowerCase();
    if (leftToOthers.has(name) || headers[name] !== undefined) return undefined;
    headers[name] = line[2]!;
    at = headerLine.lastIndex;
  }
  if (at !== end || !text.endsWith('\r\n')) return undefined;
  if (!headers['host']) return undefined;
  const connection = headers['connection']?.toLowerCase() ?? 'keep-alive';
  if (connection !== 'keep-alive' && connection !== 'close') return undefined;
  const minTtl = request[2];
  return { name: request[1]!, ...(minTtl !== undefined && { minTtl }), headers, close: connection === 'close' };
}
