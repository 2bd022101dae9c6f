import { Answers } from './answers';

const answer = (body: string, status = '200 OK', date = 1) =>
  Buffer.from(`HTTP/1.1 ${status}\r\nDate: ${date}\r\nContent-Length: ${body.length}\r\nX: y\r\n\r\n${body}`);

describe('the answers on a connection', () => {
  it('end where they end, however long each is and however they are cut', () => {
    const answers = new Answers();
    for (const [i, body] of ['abc', 'def', '', 'x'.repeat(999), 'y'.repeat(1_000), 'abc'].entries())
      expect(answers.take(answer(body, '200 OK', i))).toBe(true);
    const last = answer('abcdef');
    expect(answers.take(last.subarray(0, -4))).toBe(false);
    expect(answers.take(last.subarray(-4))).toBe(true);
  });

  it('count once where a server sends one twice', () => {
    const answers = new Answers();
    expect(answers.take(Buffer.concat([answer('a'), answer('a')]))).toBe(true);
    expect(answers.take(answer('a'))).toBe(true);
  });

  it('that are no 200 are a fault of the measurement, also after many that were', () => {
    const answers = new Answers();
    answers.take(answer('abc'));
    expect(() => answers.take(answer('abc', '503 No'))).toThrow('503');
    expect(() => new Answers().take(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))).toThrow('expected');
    expect(() => new Answers().take(Buffer.concat([answer('a'), answer('bc')]))).toThrow('More');
  });
});
