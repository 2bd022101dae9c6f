import fc from 'fast-check';
import { Problem } from '../problem';
import { queryWith, targetOf } from './target';

describe('what follows /proxy/{name}', () => {
  it.each([
    ['/proxy/eu', '', undefined],
    ['/proxy/eu?', '', ''],
    ['/proxy/eu/', '/', undefined],
    ['/proxy/eu/v2/customers/lookup?mobile=%2B49&x=a/../b', '/v2/customers/lookup', 'mobile=%2B49&x=a/../b'],
    ['/proxy/eu/a%20b/%E2%82%AC/...', '/a%20b/%E2%82%AC/...', undefined],
    ['/proxy/eu//a//', '//a//', undefined],
    ['/proxy/eu/a;v=1/b:c@d', '/a;v=1/b:c@d', undefined],
    ["/proxy/eu/!$&'()*+,;=~_-", "/!$&'()*+,;=~_-", undefined],
  ])('goes on byte for byte: %s', (url, path, query) => {
    expect(targetOf(url)).toEqual({ path, ...(query !== undefined && { query }) });
  });

  it.each([
    ...['/proxy/eu/..', '/proxy/eu/../x', '/proxy/eu/a/./b', '/proxy/eu/.', '/proxy/eu/%2e%2E/x', '/proxy/eu/.%2e/x'],
    ...[
      '/proxy/eu/..;/x',
      '/proxy/eu/..%3bx/y',
      '/proxy/eu/a%2fb',
      '/proxy/eu/a%2Fb',
      '/proxy/eu/a%5cb',
      '/proxy/eu/a\\b',
    ],
    ...[
      '/proxy/eu/%00',
      '/proxy/eu/%zz',
      '/proxy/eu/%',
      '/proxy/eu/a#b',
      '/proxy/eu/é',
      '/proxy/eu/a b',
      '/proxy/eu?a b',
    ],
    ...['http://evil.example/proxy/eu/x', '//evil.example/proxy/eu/x', '/%70roxy/eu/x', '/proxy//x', '*', ''],
  ])('is refused where it could be read in two ways: %s', (url) => {
    expect(() => targetOf(url)).toThrow(Problem);
  });

  it('whatever it is, joined to an origin names that host, and stays below the path that the definition begins with', () => {
    const piece = fc.constantFrom(
      '.',
      '..',
      '/',
      '\\',
      '%2e',
      '%2F',
      '%5c',
      ';',
      '@',
      ':',
      '//',
      '?',
      '#',
      'a',
      '%41',
      '%',
      ' ',
    );
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: piece, maxLength: 12 }), fc.string({ maxLength: 12 })), (rest) => {
        let path: string;
        try {
          ({ path } = targetOf(`/proxy/eu/${rest}`));
        } catch (error) {
          return error instanceof Problem;
        }
        const url = new URL(`https://api.example/base${path}`);
        // Some characters that need no encoding on the wire get one in a URL object.
        const plain = (text: string) => text.replace(/%(?:22|3C|3E|5E|60|7B|7C|7D)/g, decodeURIComponent);
        return url.host === 'api.example' && plain(url.pathname) === plain(`/base${path}`);
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('the query', () => {
  it.each([
    [undefined, {}, ''],
    ['', {}, '?'],
    ['a=1&a=2&&b', {}, '?a=1&a=2&&b'],
    [undefined, { key: 'k y' }, '?key=k+y'],
    ['a=1', { key: 'k' }, '?a=1&key=k'],
    ['key=mine&a=1&%6bey=mine', { key: 'k' }, '?a=1&key=k'],
    ['key', { key: 'k' }, '?key=k'],
  ])('goes on untouched, but for what the provider wants in it: %s and %j', (given, own, wanted) => {
    expect(queryWith(given, own as unknown as Record<string, string>)).toBe(wanted);
  });
});
