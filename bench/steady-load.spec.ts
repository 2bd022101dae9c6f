import { answersIn, sinceDue } from './steady-load';

const line = (startMs: number, ms: number, status = 200) => `${startMs * 1_000}\t${status}\t${ms * 1_000}\n`;

describe('the answers that h2load noted', () => {
  it('tell how long each request waited that was due while another one hung, from the moment when it was due', () => {
    const answers = answersIn(line(0, 1) + line(2, 1) + line(4, 9) + line(13, 1), 0);
    expect(sinceDue(answers, 2)).toEqual([1, 1, 9, 7, 5, 3, 1]);
  });

  it('are left out while connections are still being opened', () => {
    expect(answersIn(line(30, 3) + line(0, 9) + line(20, 2), 20).map(({ ms }) => ms)).toEqual([3, 2]);
  });

  it('are a fault of the measurement where one is no 200, or where there is none', () => {
    expect(() => answersIn(line(0, 1) + line(1, 1, 503), 0)).toThrow('503');
    expect(() => answersIn('', 0)).toThrow('none');
  });
});
