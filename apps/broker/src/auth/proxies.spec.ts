import fc from 'fast-check';
import { readProxies } from '../config/proxies';
import { Proxies } from './proxies';

describe('proxies', () => {
  const proxies = new Proxies(['10.0.0.0/8', '192.0.2.7', '2001:db8::/32']);

  it.each<[string, string | undefined, string, string]>([
    ['192.0.2.1', '203.0.113.5', '192.0.2.1', 'who is no proxy speaks for himself'],
    ['10.0.0.1', undefined, '10.0.0.1', 'a proxy may say nothing'],
    ['10.0.0.1', '203.0.113.5', '203.0.113.5', 'a proxy says whom it saw'],
    ['10.0.0.1', '198.51.100.1, 203.0.113.5', '203.0.113.5', 'what came to it was made up by anybody'],
    ['10.0.0.1', '203.0.113.5, 10.0.0.2, 192.0.2.7', '203.0.113.5', 'proxies one behind the other'],
    ['10.0.0.1', '203.0.113.5, nonsense', '10.0.0.1', 'what is no address'],
    ['10.0.0.1', '203.0.113.5,', '10.0.0.1', 'nothing'],
    ['10.0.0.1', '10.0.0.2', '10.0.0.2', 'proxies alone'],
    ['10.0.0.1', '203.0.113.5:4711', '203.0.113.5', 'with a port'],
    ['10.0.0.1', '[2001:db9::1]:4711', '2001:db9::1', 'with a port, in brackets'],
    ['2001:db8::5', '203.0.113.5', '203.0.113.5', 'over IPv6'],
    ['::ffff:10.0.0.1', '203.0.113.5', '203.0.113.5', 'over IPv4 on a socket of IPv6'],
  ])('at %s, forwarded for %s: it comes from %s (%s)', (address, forwardedFor, origin, _) => {
    expect(proxies.origin(address, forwardedFor)).toBe(origin);
  });

  it('are believed nothing where none is trusted, whatever they say', () => {
    const none = new Proxies([]);
    fc.assert(fc.property(fc.string(), (text) => expect(none.origin('192.0.2.1', text)).toBe('192.0.2.1')));
    fc.assert(fc.property(fc.string(), (text) => expect(typeof proxies.origin('10.0.0.1', text)).toBe('string')));
  });

  it.each(['10.0.0.0/33', 'proxy.example', '10.0.0.0/', '::/129', '10.0.0/8', ''])('cannot be named %s', (network) => {
    const faults: string[] = [];
    readProxies([network], faults);
    expect(faults).toEqual([expect.stringContaining('TRUSTED_PROXIES')]);
  });
});
