import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { until } from '../../test/fleet';
import { createLogger } from '../logger';
import { EventStream } from './event-stream';

const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
const mayListen = async () => true;

describe('places at a stream of events', () => {
  let stream: EventStream;
  let server: Server;
  let asked: number;
  let answers: number[];
  /** Settles before a request gets to the stream: the look-up of its key. */
  let lookUp: () => Promise<unknown>;
  beforeEach(async () => {
    [asked, answers, lookUp] = [0, [], async () => undefined];
    const events = { newest: async () => '0', list: async () => ({ items: [] }) };
    stream = new EventStream(events, createLogger('silent'), { listeners: 2 });
    server = createServer(async (_, response) => {
      asked++;
      await lookUp();
      try {
        (await stream.listen(response, { mayListen })).pipe(response);
        answers.push(200);
      } catch {
        response.writeHead(503).end();
        answers.push(503);
      }
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
  });
  afterEach(async () => {
    stream.beforeApplicationShutdown();
    server.closeAllConnections();
    await once(server.close(), 'close');
  });

  const ask = async (text: string): Promise<Socket> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    socket.write(text);
    return socket;
  };
  const gone = async (socket: Socket): Promise<void> => {
    const left = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
    socket.destroy();
    await until(left, (count) => count === 0);
  };
  const answered = (count: number) =>
    until(
      async () => answers,
      () => answers.length === count,
    );

  it('are free again once the connection has gone, also that of a request behind another one', async () => {
    const socket = await ask(request.repeat(2));
    await answered(2);
    await gone(socket);
    for (const count of [3, 4]) {
      await ask(request);
      await answered(count);
    }
    expect(answers).toEqual([200, 200, 200, 200]);
  });

  it('are not taken by who has gone while its key was looked up', async () => {
    let found = (): void => undefined;
    lookUp = () => new Promise<void>((resolve) => (found = resolve));
    for (const count of [1, 2]) {
      const socket = await ask(request);
      await until(
        async () => asked,
        () => asked === count,
      );
      await gone(socket);
      found();
      await answered(count);
    }
    lookUp = async () => undefined;
    await ask(request);
    expect((await answered(3))[2]).toBe(200);
  });

  it('are not more than there are', async () => {
    await ask(request.repeat(2));
    await answered(2);
    await ask(request);
    expect((await answered(3))[2]).toBe(503);
  });
});
