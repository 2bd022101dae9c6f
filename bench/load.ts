import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Load {
  url: string;
  headers: Record<string, string>;
  seconds: number;
  connections: number;
  /** Sent at this rate whether or not answers come; absent: each connection sends as soon as it was answered. */
  ratePerSecond?: number;
}

export interface LoadResult {
  requestsPerSecond: number;
  /** ms; where no connection was free when a request was due, from that moment on. */
  p50: number;
  p99: number;
}

interface Lane {
  send(dueAt: number): void;
}

/**
 * Keep-alive connections, one request on each at a time. Bytes on a socket, because a client that parses every answer
 * (autocannon: 27,000 a second on a core where bare `node:http` serves more) measures itself.
 */
export async function applyLoad({ url, headers, seconds, connections, ratePerSecond }: Load): Promise<LoadResult> {
  const { hostname, port, host, pathname } = new URL(url);
  const lines = Object.entries({ host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = Buffer.from(`GET ${pathname} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1');
  const latencies: number[] = [];
  const idle: Lane[] = [];
  const due: number[] = [];
  let running = true;
  let fault: Error | undefined;

  const sockets = await Promise.all(
    Array.from({ length: connections }, () => {
      const answered = (lane: Lane, dueAt: number): void => {
        if (!running) return;
        const now = performance.now();
        latencies.push(now - dueAt);
        if (ratePerSecond === undefined) return lane.send(now);
        const next = due.shift();
        if (next === undefined) idle.push(lane);
        else lane.send(next);
      };
      return open(
        hostname,
        Number(port),
        request,
        answered,
        (lane) => idle.push(lane),
        (error) => (fault = error),
      );
    }),
  );

  const started = performance.now();
  if (ratePerSecond === undefined) for (const lane of idle.splice(0)) lane.send(started);
  let asked = 0;
  while (performance.now() - started < seconds * 1_000 && !fault) {
    if (ratePerSecond === undefined) await delay(20);
    else {
      const target = ((performance.now() - started) / 1_000) * ratePerSecond;
      for (; asked < target; asked++) {
        const dueAt = started + (asked / ratePerSecond) * 1_000;
        const lane = idle.pop();
        if (lane) lane.send(performance.now());
        else due.push(dueAt);
      }
      await delay(1);
    }
  }
  const elapsed = (performance.now() - started) / 1_000;
  running = false;
  for (const socket of sockets) socket.destroy();
  if (fault) throw fault;
  const sorted = Float64Array.from(latencies).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
  return { requestsPerSecond: sorted.length / elapsed, p50: at(0.5), p99: at(0.99) };
}

/** A connection that reads just enough of an answer to know that it is a 200 and where it ends. */
function open(
  host: string,
  port: number,
  request: Buffer,
  answered: (lane: Lane, dueAt: number) => void,
  opened: (lane: Lane) => void,
  failed: (error: Error) => void,
): Promise<Socket> {
  const buffer = Buffer.allocUnsafe(64 * 1024);
  let dueAt = 0;
  let missing = 0;
  const lane: Lane = {
    send: (at) => {
      dueAt = at;
      socket.write(request);
    },
  };
  const read = (bytes: number): boolean => {
    if (missing === 0) {
      const end = buffer.indexOf('\r\n\r\n');
      const head = buffer.toString('latin1', 0, end);
      const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
      if (!head.startsWith('HTTP/1.1 200') || length === undefined) failed(new Error(`Not an answer: ${head}`));
      missing = end + 4 + Number(length);
    }
    missing -= bytes;
    if (missing === 0) answered(lane, dueAt);
    return true;
  };
  const socket = connect({ host, port, noDelay: true, onread: { buffer, callback: read } });
  socket.on('error', failed);
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      opened(lane);
      resolve(socket);
    });
  });
}
