import { Socket } from 'node:net';
import fc from 'fast-check';
import { Flood } from './flood';

describe('a flood of bad keys', () => {
  let now = 0;
  let waiting: (() => void)[] = [];
  let flood: Flood;
  beforeEach(() => {
    now = 0;
    waiting = [];
    flood = new Flood(
      () => now,
      () => new Promise<void>((resolve) => waiting.push(resolve)),
    );
  });
  const allowed = (times: number, address: string, prefix?: string) =>
    Array.from({ length: times }, () => flood.allows(address, prefix)).filter(Boolean).length;

  it('from one address is answered at once 100 times, and then 10 times a second', () => {
    expect(allowed(500, '192.0.2.1')).toBe(100);
    now = 1_000;
    expect(allowed(500, '192.0.2.1')).toBe(10);
    now = 3_600_000;
    expect(allowed(500, '192.0.2.1')).toBe(100);
    expect(allowed(500, '192.0.2.2')).toBe(100);
  });

  it('for one key is answered 20 times, and then twice a second, from however many addresses', () => {
    const from = (many: number) =>
      Array.from({ length: many }, (_, i) => flood.allows(`192.0.2.${i}`, 'tbk_00000000')).filter(Boolean).length;
    expect(from(200)).toBe(20);
    now = 1_000;
    expect(from(200)).toBe(2);
  });

  it('from the addresses of one IPv6 network is one flood, and so is one from an address in two ways of writing', () => {
    const inNetwork = Array.from({ length: 500 }, (_, i) => flood.allows(`2001:db8::${i.toString(16)}`, undefined));
    expect(inNetwork.filter(Boolean)).toHaveLength(100);
    expect(flood.allows('2001:db8:0:1::1', undefined)).toBe(true);
    expect(allowed(100, '192.0.2.9') + allowed(100, '::ffff:192.0.2.9')).toBe(100);
  });

  it('from more addresses than are remembered costs no more memory, and upsets nothing', () => {
    fc.assert(
      fc.property(fc.string(), (address) => {
        expect(typeof flood.allows(address, undefined)).toBe('boolean');
      }),
    );
    for (let i = 0; i < 30_000; i++) flood.allows(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, undefined);
    expect(allowed(1, '198.51.100.1')).toBe(1);
  });

  it('is answered late, and where 1,000 wait already it has its connection cut', async () => {
    const sockets = Array.from({ length: 1_001 }, () => new Socket());
    const answers = sockets.map((socket) => flood.late(socket, true));
    expect(sockets.filter(({ destroyed }) => destroyed)).toEqual([sockets[1_000]]);
    expect(waiting).toHaveLength(1_000);
    for (const answer of waiting) answer();
    for (const problem of await Promise.all(answers)) {
      expect(problem).toMatchObject({ code: 'too_many_requests', more: { headers: { 'retry-after': '10' } } });
    }
    void flood.late(new Socket(), true);
    expect(waiting).toHaveLength(1_001); // there is room again
  });
});
