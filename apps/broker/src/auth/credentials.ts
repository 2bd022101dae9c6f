import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** What a request says of who sends it. */
export interface Credentials {
  /** The header, as it came; empty where there were two of them, which is nobody's. */
  authorization: string | undefined;
  /** Of the program at the other end of the connection. */
  address: string;
  /** X-Forwarded-For, as it came. */
  forwardedFor?: string | undefined;
  socket?: Socket;
  /** Where there is no Authorization: a proxy may tell which certificate it was shown. */
  headers?: IncomingHttpHeaders;
}

type Request = Pick<IncomingMessage, 'headers' | 'socket'> & Partial<Pick<IncomingMessage, 'rawHeaders'>>;

export function credentialsOf({ headers, rawHeaders, socket }: Request): Credentials {
  const { authorization } = headers;
  const address = socket.remoteAddress ?? '';
  const forwardedFor = headers['x-forwarded-for'] as string | undefined;
  if (authorization === undefined) return { authorization, address, forwardedFor, socket, headers };
  const isTwice = rawHeaders !== undefined && isRepeated(rawHeaders);
  return { authorization: isTwice ? '' : authorization, address, forwardedFor, socket };
}

/**
 * Takes the header by which a proxy tells of a certificate out of a request of anybody else, and out of what is sent on in
 * any case.
 */
export function stripCertificate(request: IncomingMessage, header: string, isTrusted: boolean): void {
  // Node makes them of the raw ones when they are first asked for.
  const { headers, rawHeaders } = request;
  if (headers[header] === undefined) return;
  if (!isTrusted) delete headers[header];
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]!.toLowerCase() === header) rawHeaders.splice(at, 2);
  }
}

/** Node keeps the first of several and says nothing. */
function isRepeated(rawHeaders: string[]): boolean {
  let found = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 13 && name.toLowerCase() === 'authorization') found++;
  }
  return found > 1;
}
