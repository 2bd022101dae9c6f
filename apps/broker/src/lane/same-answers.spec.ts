import { setImmediate as soon } from 'node:timers/promises';
import fc from 'fast-check';
import { type Answer, timeless, TwoDoors, Wire } from './lane.fixture';

/** A complete answer comes in a moment; where none does, the caller ends its half. */
const patienceMs = 300;

const oneOf = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values);

/** Names and values that mean something to somebody on the way, beside such as do not. */
const header = fc.tuple(
  oneOf(
    ...['Accept', 'User-Agent', 'Cookie', 'traceparent', 'X-Forwarded-For', 'Host', 'host', 'Authorization'],
    ...['authorization', 'If-None-Match', 'if-none-match', 'X-Request-Id', 'x-request-id', 'Connection', 'connection'],
    ...['Content-Length', 'Transfer-Encoding', 'Expect', 'Upgrade', 'TE', 'Keep-Alive', 'Proxy-Connection'],
    ...['Accept-Version', 'Content-Type', 'Range', '__proto__', 'constructor', 'x', 'X_y', '!#$%&', ''],
  ),
  oneOf(': ', ':', ':  ', ':\t', ' : '),
  oneOf(
    ...['', 'x', 'a b', 'a\tb', ' ', 'x ', 'keep-alive', 'Keep-Alive', 'close', 'close, TE', 'upgrade', 'chunked'],
    ...['0', '5', '+0', '-1', '*', '"1"', 'W/"1"', 'Bearer good', 'bearer  good', 'Bearer bad', 'Bearer admin'],
    ...[
      'Bearer good ',
      'Basic good',
      'an-id',
      'not an id',
      '100-continue',
      'websocket',
      'trailers',
      '1.0',
      'é',
      '\u0000',
    ],
    ...['a\u007f', 'a\rb', 'a\nb', 'a\r\n b', 'a\r\n\tb', 'x'.repeat(600)],
  ),
  oneOf('\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', ''),
);

const requestLine = fc.oneof(
  { weight: 6, arbitrary: fc.constant('GET /v1/clients/eu/token HTTP/1.1\r\n') },
  {
    weight: 6,
    arbitrary: fc
      .record({
        method: oneOf('GET', 'GET', 'GET', 'HEAD', 'POST', 'get', 'OPTIONS', ''),
        gap: oneOf(' ', ' ', ' ', '  ', '\t'),
        path: oneOf(
          ...['/v1/clients/', '/v1/clients/', '/v1/clients/', '/v1/clients//', '//v1/clients/', '/V1/clients/'],
          ...['http://broker/v1/clients/', '/v1/x/../clients/', '/v1/clients/./'],
        ),
        name: oneOf('eu', 'off', 'down', 'utf8', 'nobody', 'EU', 'e%75', 'e..u', '..', '-', 'x'.repeat(64), 'é', ''),
        after: oneOf(
          ...['/token', '/token', '/token', '/token/', '/token?', '/token?min_ttl=5', '/token?min_ttl=86401'],
          ...['/token?min_ttl=', '/token?min_ttl=1&min_ttl=2', '/token?min_ttl=%35', '/token?x=1', '/token#min_ttl'],
          ...['/token;x', '/token?min_ttl=0000005', '/tokens', ''],
        ),
        version: oneOf(
          ' HTTP/1.1\r\n',
          ' HTTP/1.1\r\n',
          ' HTTP/1.1\r\n',
          ' HTTP/1.0\r\n',
          ' HTTP/1.1\n',
          ' HTTP/2.0\r\n',
        ),
      })
      .map(({ method, gap, path, name, after, version }) => `${method}${gap}${path}${name}${after}${version}`),
  },
);

const usual = fc.shuffledSubarray(
  [
    'Host: broker\r\n',
    'Authorization: Bearer good\r\n',
    'Accept: */*\r\n',
    'If-None-Match: "1"\r\n',
    'X-Request-Id: mine\r\n',
  ],
  { minLength: 2 },
);

const wellFormed = fc
  .tuple(
    requestLine,
    usual,
    fc.array(
      header.map((parts) => parts.join('')),
      { maxLength: 3 },
    ),
    oneOf('\r\n', '\r\n', '\r\n', '\n', ''),
  )
  .map(([line, some, more, end]) => `${line}${[...some, ...more].join('')}${end}`);

/** A byte that is another one, too many or missing; or more after the end. */
const mutation = fc.record({
  what: oneOf('none', 'none', 'none', 'replace', 'insert', 'remove', 'append'),
  where: fc.nat(),
  byte: fc.oneof(fc.integer({ min: 0, max: 255 }), oneOf(0, 9, 10, 13, 32, 44, 58, 127, 128, 255)),
});

/** What somebody might really send. */
const plausible = fc
  .tuple(
    oneOf('eu', 'eu', 'off', 'utf8', 'nobody', 'e.u', 'x'.repeat(63)),
    oneOf('', '', '?min_ttl=0', '?min_ttl=60', '?min_ttl=86400', '?min_ttl=86401', '?min_ttl=007'),
    oneOf('good', 'good', 'good', 'admin', 'bad'),
    fc.shuffledSubarray([
      'accept: */*\r\n',
      'User-Agent: program/1.0 (x; y)\r\n',
      'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n',
      'If-None-Match: *\r\n',
      'x-request-id: one.of-mine_1\r\n',
      'Connection: Keep-Alive\r\n',
      'Empty:\r\n',
    ]),
    oneOf('', '', '', 'Connection: close\r\n', 'X-Request-Id: not one\r\n', 'if-none-match: "1", W/"2"\r\n'),
  )
  .map(([name, query, key, some, last]) => {
    const lines = [`Host: broker\r\n`, `Authorization: Bearer ${key}\r\n`, ...some, last].join('');
    return `GET /v1/clients/${name}/token${query} HTTP/1.1\r\n${lines}\r\n`;
  });

/** Lines that mean something to somebody on the way. */
const meaningful = oneOf(
  ...['Connection: close, TE', 'Connection: keep-alive, close', 'Connection: upgrade', 'Connection: TE', 'Connection:'],
  ...[
    'Proxy-Connection: close',
    'Content-Length: 0',
    'Content-Length: 5',
    'Transfer-Encoding: chunked',
    'TE: trailers',
  ],
  ...['Transfer-Encoding: identity', 'Expect: 100-continue', 'Expect: x', 'Upgrade: websocket', 'Upgrade: h2c'],
  ...['Host: other', 'Host:', 'Authorization: Bearer bad', 'authorization: Bearer good', 'X-Request-Id: other'],
  ...[
    'If-None-Match: "2"',
    'Accept-Version: 1.0',
    '__proto__: x',
    'Content-Type: text/plain',
    'Trailer: x',
    'Range: bytes=0-1',
  ],
);

/** One thing about it is not as it should be. */
const flawed = fc
  .tuple(
    plausible,
    fc.nat(),
    fc.oneof(
      oneOf('\n', '\r', '', '\r\r\n', '\n\r', '\r\n ', '\r\n\t', ' \r\n', '\t\r\n', '\0\r\n').map((end) => ({ end })),
      oneOf(':', ' : ', ':  ', ':\t', ' ').map((colon) => ({ colon })),
      meaningful.map((line) => ({ line })),
      oneOf(' HTTP/1.0', ' HTTP/1.1 ', '  HTTP/1.1', ' HTTP/01.1', ' http/1.1', '').map((version) => ({ version })),
    ),
  )
  .map(([text, where, flaw]) => {
    const lines = text.split('\r\n');
    const at = where % (lines.length - 1);
    if ('end' in flaw) return [lines.slice(0, at + 1).join('\r\n'), lines.slice(at + 1).join('\r\n')].join(flaw.end);
    if ('line' in flaw) return lines.toSpliced(1 + (where % (lines.length - 2)), 0, flaw.line).join('\r\n');
    if ('version' in flaw) return text.replace(' HTTP/1.1', flaw.version);
    return lines.with(at, lines[at]!.replace(': ', flaw.colon)).join('\r\n');
  });

const mutilated = fc.tuple(fc.oneof(plausible, wellFormed), mutation).map(([text, { what, where, byte }]) => {
  const bytes = Buffer.from(text, 'latin1');
  const at = where % bytes.length;
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  if (what === 'replace') return Buffer.concat([before, Buffer.of(byte), after.subarray(1)]);
  if (what === 'insert') return Buffer.concat([before, Buffer.of(byte), after]);
  if (what === 'remove') return Buffer.concat([before, after.subarray(1)]);
  return what === 'append' ? Buffer.concat([bytes, Buffer.of(byte)]) : bytes;
});

const request = fc.oneof(
  mutilated,
  flawed.map((text) => Buffer.from(text, 'latin1')),
);

describe('the lane and the HTTP server behind it', () => {
  const doors = new TwoDoors();
  beforeAll(async () => {
    await doors.open();
    doors.accessToken = 'tökén';
    await doors.tokens.get('utf8');
    doors.accessToken = 'a-token';
    await doors.tokens.get('eu');
    doors.accessToken = '';
  });
  afterAll(() => doors.close());

  /** All that comes back; both answers of a connection, and that it ends, are a part of it. */
  const converse = async (port: number, chunks: Buffer[]): Promise<unknown[]> => {
    const wire = await Wire.open(port);
    for (const chunk of chunks) {
      wire.say(chunk);
      await soon();
    }
    const late = new Promise<Answer[]>((resolve) => setTimeout(resolve, patienceMs, []).unref());
    await Promise.race([wire.answers(1), late]);
    wire.socket.end();
    await Promise.race([wire.closed, late]);
    const answers = await Promise.race([wire.answers(9), late.then(() => wire.answers(0))]);
    wire.leave();
    return [...timeless(answers), wire.ended];
  };

  const sameFrom = async (bytes: Buffer, chunks = [bytes]): Promise<void> => {
    const [plain, lane] = await Promise.all([converse(doors.plainPort, [bytes]), converse(doors.lanePort, chunks)]);
    expect({ sent: bytes.toString('latin1'), answers: lane }).toEqual({
      sent: bytes.toString('latin1'),
      answers: plain,
    });
  };

  it('give the same answer to any head, however it is mutilated', async () => {
    let asked = 0;
    doors.handedOver = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 20, maxLength: 20 }), async (requests) => {
        asked += requests.length;
        await Promise.all(requests.map((bytes) => sameFrom(bytes)));
      }),
      { numRuns: 50, endOnFailure: true },
    );
    // Else nothing was compared.
    expect(doors.handedOver).toBeLessThan(asked * 0.9);
    expect(doors.handedOver).toBeGreaterThan(asked * 0.2);
  }, 60_000);

  it('give the same answer into however many pieces a head is cut', async () => {
    const pieces = fc.tuple(plausible, fc.array(fc.nat(), { minLength: 1, maxLength: 4 })).map(([text, cuts]) => {
      const bytes = Buffer.from(text, 'latin1');
      const places = [0, ...cuts.map((cut) => cut % bytes.length), bytes.length].sort((a, b) => a - b);
      return { bytes, chunks: places.slice(1).map((end, i) => bytes.subarray(places[i], end)) };
    });
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { minLength: 10, maxLength: 10 }), async (all) => {
        await Promise.all(all.map(({ bytes, chunks }) => sameFrom(bytes, chunks)));
      }),
      { numRuns: 10, endOnFailure: true },
    );
  }, 60_000);

  it('give the same answer to more headers than Node takes, of which it drops the last', async () => {
    const letters = [...'abcdefghijklmnopqrstuvwxyz0123456789'];
    const names = letters.flatMap((a) => letters.map((b) => a + b)).filter((name) => name !== 'te');
    doors.handedOver = 0;
    for (const count of [20, 90, 500, 1_200]) {
      const many = [...names, ...letters, ...names.map((name) => `${name}_`)].slice(0, count);
      const lines = ['Host: x', ...many.map((name) => `${name}:`), 'Authorization: Bearer good'];
      await sameFrom(Buffer.from(`GET /v1/clients/eu/token HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`));
    }
    expect(doors.handedOver).toBe(2);
  });

  it('give the same answers on a connection that is kept', async () => {
    const kept = plausible.filter((text) => !text.includes('Connection: close'));
    await fc.assert(
      fc.asyncProperty(fc.array(kept, { minLength: 2, maxLength: 6 }), fc.boolean(), async (all, known) => {
        const requests = all.flatMap((text) => [text, text]);
        doors.known = known;
        const ask = async (port: number): Promise<unknown[]> => {
          const wire = await Wire.open(port);
          const answers: (Answer | undefined)[] = [];
          for (const text of requests) answers.push(await wire.ask(text));
          wire.leave();
          return timeless(answers);
        };
        expect(await ask(doors.lanePort)).toEqual(await ask(doors.plainPort));
      }),
      { numRuns: 30, endOnFailure: true },
    );
    doors.known = true;
  }, 60_000);
});
