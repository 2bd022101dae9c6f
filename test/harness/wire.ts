import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** A wire to a server, that can be cut and mended while the server itself goes on for everybody else. */
export interface Wire {
  url: string;
  cut(): void;
  /** Connections that are open carry nothing any more, and say nothing of it; new ones work. */
  hush(): void;
  /** From now on nothing is carried, on new connections neither, and nothing is said of it. `mend` ends it; what was swallowed is lost. */
  hold(): void;
  /** Connections on which something was swallowed since `hold`. */
  readonly swallowed: number;
  /** From now on what is sent to the server arrives only when the wire is mended, though whoever sent it has given up. */
  delay(): void;
  mend(): void;
  close(): Promise<void>;
}

/** @param url of the server; the wire's own URL differs in host and port only */
export async function startWire(url: string): Promise<Wire> {
  const target = new URL(url);
  const sockets = new Set<Socket>();
  let whole = true;
  let holding = false;
  let swallowed = 0;
  let delaying = false;
  const delayed = new Set<Socket>();
  const slowDown = (socket: Socket): void => void delayed.add(socket.pause());
  const incomings = new Set<Socket>();
  const swallow = (socket: Socket): void => {
    socket.unpipe();
    socket.removeAllListeners('data');
    socket.once('data', () => (swallowed += 1)).resume();
  };
  const server = createServer((incoming) => {
    if (!whole) return incoming.destroy();
    if (holding) {
      sockets.add(incoming);
      incoming.on('error', () => undefined).on('close', () => sockets.delete(incoming));
      return swallow(incoming);
    }
    const outgoing = connect(Number(target.port), target.hostname);
    for (const socket of [incoming, outgoing]) {
      sockets.add(socket);
      socket.on('error', () => undefined).on('close', () => sockets.delete(socket));
    }
    incoming.pipe(outgoing).pipe(incoming);
    incomings.add(incoming);
    if (delaying) slowDown(incoming);
    incoming.on('close', () => {
      incomings.delete(incoming);
      delayed.delete(incoming);
      if (!incoming.readableEnded) outgoing.destroy(); // else what it sent last is still on its way
    });
    outgoing.on('close', () => incoming.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = new URL(url);
  own.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const drop = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: own.href,
    cut: () => {
      whole = false;
      drop();
    },
    hush: () =>
      sockets.forEach((socket) => {
        socket.unpipe();
        socket.removeAllListeners('data');
        socket.pause();
      }),
    hold: () => {
      holding = true;
      swallowed = 0;
      sockets.forEach(swallow);
    },
    get swallowed() {
      return swallowed;
    },
    delay: () => {
      delaying = true;
      incomings.forEach(slowDown);
    },
    mend: () => {
      if (holding) drop();
      delaying = false;
      delayed.forEach((socket) => socket.resume());
      delayed.clear();
      whole = true;
      holding = false;
    },
    close: async () => {
      server.close();
      drop();
      await once(server, 'close');
    },
  };
}
