import type { IncomingMessage } from 'node:http';
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
}

type Request = Pick<IncomingMessage, 'headers' | 'socket'> & Partial<Pick<IncomingMessage, 'rawHeaders'>>;

export function credentialsOf({ headers, rawHeaders, socket }: Request): Credentials {
  const { authorization } = headers;
  const isTwice = authorization !== undefined && rawHeaders !== undefined && isRepeated(rawHeaders);
  const forwardedFor = headers['x-forwarded-for'] as string | undefined;
  return { authorization: isTwice ? '' : authorization, address: socket.remoteAddress ?? '', forwardedFor, socket };
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
