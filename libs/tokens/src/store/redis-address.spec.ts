import fc from 'fast-check';
import { InvalidRedisUrl, parseRedisUrl } from './redis-address';

const host = fc.oneof(fc.domain(), fc.ipV4(), fc.constantFrom('redis', 'redis_1', 'a.b-c.svc'));
const port = fc.integer({ min: 1, max: 65_535 });
const node = fc.record({ host, port });
const secret = fc.string({ minLength: 1, unit: 'grapheme' });
const login = fc.option(fc.record({ username: fc.option(secret, { nil: undefined }), password: secret }), {
  nil: undefined,
});
type Login = { username?: string | undefined; password: string } | undefined;

const userinfo = (given: Login) =>
  given ? `${encodeURIComponent(given.username ?? '')}:${encodeURIComponent(given.password)}@` : '';
const hosts = (nodes: { host: string; port: number }[]) => nodes.map((n) => `${n.host}:${n.port}`).join(',');
const shown = (given: { username?: string; password: { reveal(): string } } | undefined) =>
  given && { username: given.username, password: given.password.reveal() };

describe('the address of Redis', () => {
  it('of Sentinels is read as it was written, whatever its passwords are', () => {
    const parts = fc.record({
      tls: fc.boolean(),
      nodes: fc.array(node, { minLength: 1, maxLength: 5 }),
      master: fc.stringMatching(/^[\w.-]{1,20}$/),
      db: fc.option(fc.integer({ min: 0, max: 99 }), { nil: undefined }),
      login,
      sentinelLogin: login,
    });
    fc.assert(
      fc.property(parts, ({ tls, nodes, master, db, login: given, sentinelLogin }) => {
        const options = sentinelLogin
          ? `?sentinel_password=${encodeURIComponent(sentinelLogin.password)}` +
            (sentinelLogin.username ? `&sentinel_username=${encodeURIComponent(sentinelLogin.username)}` : '')
          : '';
        const path = `${master}${db === undefined ? '' : `/${db}`}`;
        const url = `redis${tls ? 's' : ''}+sentinel://${userinfo(given)}${hosts(nodes)}/${path}${options}`;
        const address = parseRedisUrl(url);
        expect(address).toMatchObject({ kind: 'sentinel', tls, sentinels: nodes, master, db: db ?? 0 });
        if (address.kind !== 'sentinel') return;
        expect(shown(address.login)).toEqual(given);
        expect(shown(address.sentinelLogin)).toEqual(sentinelLogin);
      }),
    );
  });

  it('of a cluster is read as it was written, whatever its password is', () => {
    const parts = fc.record({ tls: fc.boolean(), nodes: fc.array(node, { minLength: 1, maxLength: 5 }), login });
    fc.assert(
      fc.property(parts, ({ tls, nodes, login: given }) => {
        const address = parseRedisUrl(`redis${tls ? 's' : ''}+cluster://${userinfo(given)}${hosts(nodes)}`);
        expect(address).toMatchObject({ kind: 'cluster', tls, nodes });
        if (address.kind === 'cluster') expect(shown(address.login)).toEqual(given);
      }),
    );
  });

  it('has the usual ports, and hosts of IPv6', () => {
    expect(parseRedisUrl('redis+sentinel://one,[::1],[fe80::2]:7/m')).toMatchObject({
      sentinels: [
        { host: 'one', port: 26_379 },
        { host: '::1', port: 26_379 },
        { host: 'fe80::2', port: 7 },
      ],
    });
    expect(parseRedisUrl('redis+cluster://one')).toMatchObject({ nodes: [{ host: 'one', port: 6_379 }] });
  });

  it('of one Redis is left to the client library', () => {
    for (const url of [
      'redis://localhost',
      'redis://:p@h:1/3',
      'rediss://u:p%40@h:6380?family=6',
      'redis://[::1]:1/',
      'redis://h?db=2',
    ]) {
      const address = parseRedisUrl(url);
      expect(address.kind === 'single' && address.url.reveal()).toBe(url);
    }
  });

  it.each([
    ['localhost', /not a Redis URL.*redis:\/\/.*redis\+sentinel:.*redis\+cluster:/],
    ['http://h', /not a Redis URL/],
    ['redis+other://h', /not a Redis URL/],
    ['redis://', /not a Redis URL/],
    ['redis:// h', /not a Redis URL/],
    ['redis://user:a/b@h', /cannot be read as a URL.*%2F/],
    ['redis://user:100%@h', /cannot be read as a URL/],
    ['redis://h/notanumber', /a database that is not a number.*\[\/db\]/],
    ['redis://h/0/1', /a database that is not a number/],
    ['redis://h?db=one', /a database that is not a number/],
    ['redis://h:0', /has a host/],
    ['redis:///0', /has a host|cannot be read/],
    ['redis+sentinel://h', /does not name the master.*\/mymaster/],
    ['redis+sentinel://h/', /does not name the master/],
    ['redis+sentinel://h/m/one', /does not name the master/],
    ['redis+sentinel://h/m/0/1', /does not name the master/],
    ['redis+sentinel://h/a%20b', /a master that Sentinel cannot have/],
    ['redis+sentinel:///m', /has a host/],
    ['redis+sentinel://h,/m', /has a host/],
    ['redis+sentinel://h:0/m', /has a host/],
    ['redis+sentinel://h:65536/m', /has a host/],
    ['redis+sentinel://[nonsense]/m', /has a host/],
    ['redis+sentinel://user@h/m', /no password before @/],
    ['redis+sentinel://user:p@ss@h/m', /cannot be read as a URL.*%40/],
    ['redis+sentinel://:p#a@h/m', /cannot be read as a URL.*%23/],
    ['redis+sentinel://h/m?password=x', /options after \?/],
    ['redis+sentinel://h/m?sentinel_password=x&sentinel_password=y', /options after \?/],
    ['redis+sentinel://h/m?sentinel_username=x', /sentinel_username without/],
    ['redis+sentinel://h/m?sentinel_password=%', /cannot be read/],
    ['redis+cluster://h/1', /names a database/],
    ['redis+cluster://h?x=y', /has options/],
  ])('%s is refused with the form that it must have', (url, reason) => {
    expect(() => parseRedisUrl(url)).toThrow(InvalidRedisUrl);
    expect(() => parseRedisUrl(url)).toThrow(reason);
  });

  it('is either read or refused, whatever is given, and nothing of it is told again', () => {
    const canary = 'canary-9f2c';
    const piece = fc.oneof(
      fc.constantFrom(canary, ':', '@', '/', '?', '#', '%', ',', '[', ']', '&', '=', '+'),
      fc.string(),
    );
    const scheme = fc.constantFrom('redis://', 'redis+sentinel://', 'rediss+cluster://', 'redis+x://', '');
    fc.assert(
      fc.property(scheme, fc.array(piece, { maxLength: 12 }), (start, pieces) => {
        try {
          parseRedisUrl(start + pieces.join(''));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidRedisUrl);
          expect((error as Error).stack).not.toContain(canary);
          expect((error as Error).cause).toBeUndefined();
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
