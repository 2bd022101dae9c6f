import { connect, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { Answers } from './answers';
import { percentiles } from './figures';

export interface Load {
  /** Of the server. */
  url: string;
  /** Asked for in turn. */
  paths: string[];
  headers: Record<string, string>;
  /** Absent: each path is asked for once. */
  seconds?: number;
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
export async function applyLoad(load: Load): Promise<LoadResult> {
  const { seconds = Infinity, connections, ratePerSecond } = load;
  const requests = requestsOf(load);
  const latencies: number[] = [];
  const idle: Lane[] = [];
  const due: number[] = [];
  let running = true;
  let fault: Error | undefined;
  let sent = 0;
  const most = load.seconds === undefined ? requests.length : Infinity;
  const next = (): Buffer => requests[sent++ % requests.length]!;

  const answered = (lane: Lane, dueAt: number): void => {
    if (!running) return;
    const now = performance.now();
    latencies.push(now - dueAt);
    if (ratePerSecond === undefined) return sent < most ? lane.send(now) : undefined;
    const waiting = due.shift();
    if (waiting === undefined) idle.push(lane);
    else lane.send(waiting);
  };
  const failed = (error: Error): void => void (fault ??= error);
  const sockets = await Promise.all(
    Array.from({ length: connections }, () =>
      open(load.url, { next, answered, failed, opened: (lane) => idle.push(lane) }),
    ),
  );

  const started = performance.now();
  if (ratePerSecond === undefined) for (const lane of idle.splice(0, most)) lane.send(started);
  let asked = 0;
  while (performance.now() - started < seconds * 1_000 && latencies.length < most && !fault) {
    if (ratePerSecond === undefined) await delay(seconds === Infinity ? 1 : 20);
    else {
      const target = ((performance.now() - started) / 1_000) * ratePerSecond;
      for (; asked < target; asked++) {
        const dueAt = started + (asked / ratePerSecond) * 1_000;
        // In turn, so that none is silent for so long that it is closed.
        const lane = idle.shift();
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
  return { requestsPerSecond: latencies.length / elapsed, ...percentiles(latencies) };
}

function requestsOf({ url, paths, headers }: Load): Buffer[] {
  const lines = Object.entries({ host: new URL(url).host, ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return paths.map((path) => Buffer.from(`GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, 'latin1'));
}

interface Events {
  next: () => Buffer;
  answered: (lane: Lane, dueAt: number) => void;
  failed: (error: Error) => void;
  opened: (lane: Lane) => void;
}

function open(url: string, { next, answered, failed, opened }: Events): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const buffer = Buffer.allocUnsafe(64 * 1024);
  const answers = new Answers();
  let dueAt = 0;
  const lane: Lane = {
    send: (at) => {
      dueAt = at;
      socket.write(next());
    },
  };
  const callback = (bytes: number): boolean => {
    try {
      if (answers.take(buffer.subarray(0, bytes))) answered(lane, dueAt);
    } catch (error) {
      failed(error as Error);
    }
    return true;
  };
  const socket = connect({ host: hostname, port: Number(port), noDelay: true, onread: { buffer, callback } });
  socket.on('error', failed);
  socket.on('end', () => failed(new Error(`${url} closed a connection`)));
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('connect', () => {
      opened(lane);
      resolve(socket);
    });
  });
}
