import type { Socket } from 'node:net';
import { setImmediate as soon } from 'node:timers/promises';
import { head, TwoDoors, Wire } from './lane.fixture';

describe('the lane', () => {
  let doors: TwoDoors;
  let wires: Wire[];
  beforeEach(async () => {
    doors = new TwoDoors();
    wires = [];
    await doors.open();
    await doors.tokens.get('eu');
  });
  afterEach(async () => {
    for (const wire of wires) wire.leave();
    await doors.close();
  });

  const open = async (port = doors.lanePort): Promise<Wire> => {
    const wire = await Wire.open(port);
    wires.push(wire);
    return wire;
  };
  const headerOf = (answer: { headers: [string, string][] } | undefined, name: string) =>
    answer?.headers.find(([header]) => header.toLowerCase() === name)?.[1];
  /** What is not news comes between what is. */
  const settled = async (look: () => boolean): Promise<void> => {
    for (let i = 0; i < 2_000 && !look(); i++) await soon();
    expect(look()).toBe(true);
  };

  it('answers token requests itself, one after the other on one connection, and passes everything else on', async () => {
    const wire = await open();
    for (let i = 0; i < 5; i++) expect(await wire.ask(head())).toMatchObject({ status: 200 });
    const etag = headerOf(await wire.ask(head()), 'etag')!;
    expect(await wire.ask(head('eu', { 'If-None-Match': etag }))).toMatchObject({ status: 304, body: '' });
    expect(await wire.ask(head('nobody'))).toMatchObject({ status: 404 });
    expect(doors.handedOver).toBe(0);
    expect(await wire.ask('GET /docs HTTP/1.1\r\nHost: x\r\n\r\n')).toMatchObject({ status: 404 });
    expect(doors.handedOver).toBe(1);
    expect(await wire.ask(head())).toMatchObject({ status: 200 });
    expect(doors.handedOver).toBe(1);
  });

  it('counts and notes each read, and has an id of its own for each answer', async () => {
    const wire = await open();
    const answers = [
      await wire.ask(head()),
      await wire.ask(head()),
      await wire.ask(head('eu', { 'If-None-Match': '*' })),
    ];
    expect(await wire.ask(head('off'))).toMatchObject({ status: 409 });
    expect(doors.counted).toEqual(['hit', 'hit', 'not_modified', 'refused']);
    expect(doors.reads).toHaveLength(3);
    expect(doors.reads[0]).toMatchObject({ service: 'reader', keyId: 'good', clientId: 'eu', client: 'eu' });
    expect(new Set(answers.map((answer) => headerOf(answer, 'x-request-id'))).size).toBe(3);
    expect(headerOf(await wire.ask(head('eu', { 'X-Request-Id': 'mine' })), 'x-request-id')).toBe('mine');
  });

  it('judges a caller anew as soon as he is no longer known, though he sends the very same bytes', async () => {
    const wire = await open();
    expect(await wire.ask(head())).toMatchObject({ status: 200 });
    doors.change('good', undefined);
    expect(await wire.ask(head())).toMatchObject({ status: 401 });
    doors.change('good', 'service');
    expect(await wire.ask(head())).toMatchObject({ status: 200 });
    doors.clients.set('eu', { clientId: 'eu', enabled: false });
    doors.change('good', 'service');
    expect(await wire.ask(head())).toMatchObject({ status: 409 });
    expect(doors.handedOver).toBe(0);
  });

  it('takes no caller for the one before him on the same connection', async () => {
    const wire = await open();
    expect(await wire.ask(head())).toMatchObject({ status: 200 });
    for (const key of ['goof', 'goo', 'good1', 'admin']) {
      const { status } = (await wire.ask(head('eu', { Authorization: `Bearer ${key}` })))!;
      expect(status).toBe(key === 'admin' ? 403 : 401);
    }
    expect(await wire.ask(head('eu', { traceparent: '00-1' }))).toMatchObject({ status: 200 });
    expect(await wire.ask(head('off', { traceparent: '00-2' }))).toMatchObject({ status: 409 });
  });

  it('keeps a connection whose caller or token has to be looked up first', async () => {
    doors.known = false;
    const wire = await open();
    expect(await wire.ask(head())).toMatchObject({ status: 200 });
    await doors.tokens.purge('eu');
    expect(await wire.ask(head())).toMatchObject({ status: 200 });
    expect(doors.counted).toEqual(['hit', 'miss']);
    doors.accessToken = '';
    expect(await wire.ask(head('down'))).toMatchObject({ status: 503 });
    expect(doors.handedOver).toBe(0);
  });

  it('answers what was sent together in the order in which it was asked', async () => {
    const wire = await open();
    await wire.ask(head());
    wire.say(head('nobody') + head() + head('off'));
    expect((await wire.answers(4)).map(({ status }) => status)).toEqual([200, 404, 200, 409]);
  });

  it('hears no more of who does not read, and gives nobody bytes that are still on their way to him', async () => {
    doors.accessToken = 'x'.repeat(60_000);
    await doors.tokens.purge('eu');
    const underway: { bytes: Buffer; asWritten: Buffer }[] = [];
    doors.server.on('connection', (socket: Socket) => {
      const write = socket.write.bind(socket) as (...given: unknown[]) => boolean;
      socket.write = (bytes: Buffer, ...rest: unknown[]) => {
        const asWritten = Buffer.from(bytes);
        const written = write(bytes, ...rest);
        if (bytes.length > 0 && socket.writableLength > 0) underway.push({ bytes, asWritten });
        return written;
      };
    });
    const other = await open();
    const { body } = (await other.ask(head()))!;
    const deaf = await open();
    deaf.socket.pause();
    let asked = 0;
    for (let unheard = 0; unheard < 3; asked++) {
      const { length } = doors.reads;
      deaf.say(head());
      for (let i = 0; i < 50 && doors.reads.length === length; i++) await soon();
      if (doors.reads.length === length) unheard++;
    }
    expect(underway).toHaveLength(1);
    expect(await other.ask(head())).toMatchObject({ status: 200, body });
    expect(underway[0]!.bytes.equals(underway[0]!.asWritten)).toBe(true);
    expect(doors.handedOver).toBe(0);
    deaf.socket.resume();
    const answers = await deaf.answers(asked);
    expect(answers).toHaveLength(asked);
    const timeless = (text: string): string => text.replace(/"expires_in":\d+/, '');
    expect(answers.every((answer) => timeless(answer.body) === timeless(body))).toBe(true);
    expect(new Set(answers.map((answer) => headerOf(answer, 'x-request-id'))).size).toBe(asked);
  });

  it('hands out nothing more to who has left, whatever he had asked for before', async () => {
    doors.accessToken = 'x'.repeat(3_000_000);
    await doors.tokens.purge('eu');
    let gone = false;
    doors.server.on('connection', (socket: Socket) => socket.on('close', () => (gone = true)));
    const deaf = await open();
    deaf.socket.pause();
    deaf.say(head());
    await settled(() => doors.reads.length === 1);
    deaf.say(head());
    for (let i = 0; i < 50; i++) await soon();
    deaf.socket.resetAndDestroy();
    await settled(() => gone);
    expect(doors.reads).toHaveLength(1);
  });

  it('is not upset by who leaves in the middle', async () => {
    let answer = (): void => undefined;
    doors.provider = new Promise((resolve) => (answer = resolve));
    await doors.tokens.purge('eu');
    const [gone, half] = [await open(), await open()];
    gone.say(head());
    half.say(head());
    half.socket.end();
    await settled(() => doors.calls === 2);
    gone.socket.resetAndDestroy();
    answer();
    expect(await half.answers(1)).toMatchObject([{ status: 200 }]);
    await half.closed;
    expect(await (await open()).ask(head())).toMatchObject({ status: 200 });
  });

  it('closes connections that say nothing, and those that have nothing more to say, when Node would', async () => {
    doors.server.headersTimeout = 50;
    doors.server.keepAliveTimeout = 50;
    const [silent, idle] = [await open(), await open()];
    expect(headerOf(await idle.ask(head()), 'keep-alive')).toBe('timeout=0');
    await Promise.all([silent.closed, idle.closed]);
    expect(silent.heard).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('closes what is idle when the server closes, and ends what is under way with its answer', async () => {
    let answer = (): void => undefined;
    doors.provider = new Promise((resolve) => (answer = resolve));
    await doors.tokens.purge('eu');
    const [silent, idle, waiting] = [await open(), await open(), await open()];
    expect(await idle.ask(head('off'))).toMatchObject({ status: 409 });
    const answered = waiting.ask(head());
    await settled(() => doors.calls === 2);
    const closed = doors.closeLane();
    await Promise.all([silent.closed, idle.closed]);
    answer();
    const last = await answered;
    expect(last).toMatchObject({ status: 200 });
    expect(headerOf(last, 'connection')).toBe('close');
    await Promise.all([waiting.closed, closed]);
  });

  it('lets a last answer go out whole, whatever comes meanwhile: more requests, or the end of the server', async () => {
    doors.accessToken = 'x'.repeat(3_000_000);
    await doors.tokens.purge('eu');
    const { body } = (await (await open()).ask(head()))!;
    const [late, slow] = [await open(), await open()];
    for (const wire of [late, slow]) {
      const { length } = doors.reads;
      wire.socket.pause();
      wire.say(head('eu', { Connection: 'close' }));
      await settled(() => doors.reads.length > length);
    }
    late.say(head() + head());
    late.say(head());
    for (let i = 0; i < 200; i++) await soon();
    expect(doors.reads).toHaveLength(3);
    const closed = doors.closeLane();
    for (const wire of [late, slow]) {
      wire.socket.resume();
      await wire.closed;
      const answers = await wire.answers(9);
      expect(answers.map(({ status }) => status)).toEqual([200]);
      expect(answers[0]!.body).toHaveLength(body.length);
    }
    await closed;
  });

  it('cuts off nobody who asks again and again while the server closes: his next answer is his last', async () => {
    const busy = await Promise.all(Array.from({ length: 20 }, () => open()));
    for (const wire of busy) await wire.ask(head());
    const closed = doors.closeLane();
    await soon();
    const answers = await Promise.all(busy.map((wire) => wire.ask(head())));
    expect(answers.map((answer) => answer?.status)).toEqual(busy.map(() => 200));
    expect(answers.every((answer) => headerOf(answer, 'connection') === 'close')).toBe(true);
    await closed;
  });

  it('sends callers elsewhere with their answers once the end is near', async () => {
    const wire = await open();
    expect(headerOf(await wire.ask(head()), 'connection')).toBe('keep-alive');
    doors.ending = true;
    expect(headerOf(await wire.ask(head()), 'connection')).toBe('close');
    await wire.closed;
    expect(await (await open()).ask(head())).toMatchObject({ status: 200 });
  });
});
