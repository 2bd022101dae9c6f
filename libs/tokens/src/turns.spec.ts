import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as immediate } from 'node:timers/promises';
import { Turns } from './turns';

describe('turns', () => {
  it('lets one piece of work go in each turn of the event loop, in the order in which they came', async () => {
    const turns = new Turns();
    const done: string[] = [];
    for (const piece of ['a', 'b', 'c']) void turns.next().then(() => done.push(piece));
    const after: string[] = [];
    for (let turn = 0; turn < 3; turn++) {
      await immediate();
      after.push(done.join(''));
    }
    expect(after).toEqual(['a', 'ab', 'abc']);
  });

  it('has a piece that comes when all are done wait for a turn of its own, too', async () => {
    const turns = new Turns();
    const done: string[] = [];
    const piece = turns.next().then(() => {
      done.push('first');
      return turns.next().then(() => done.push('second'));
    });
    await immediate();
    expect(done).toEqual(['first']);
    await piece;
    expect(done).toEqual(['first', 'second']);
  });

  it('hears those who ask meanwhile before all pieces are done', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const asking = connect((server.address() as AddressInfo).port, '127.0.0.1');
    const [answering] = (await once(server, 'connection')) as [Socket];
    const turns = new Turns();
    let left = 2_000;
    const pieces = Array.from({ length: left }, () => turns.next().then(() => left--));
    const heard = once(answering, 'data').then(() => left);
    asking.write('?');
    expect(await heard).toBeGreaterThan(0);
    await Promise.all(pieces);
    asking.destroy();
    server.close();
  });
});
