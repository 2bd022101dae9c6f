import { joined, requestHeaders, responseHeaders } from './headers';

const token = { headers: { Authorization: 'Bearer secret', 'X-Unit': 'default', Cookie: 'session=ours' } };
const api = { overridable: new Set(['x-unit']) };
const sent = (given: string[], keepsLength = false) => joined(requestHeaders(given, { token, api, keepsLength }));

describe('the headers that reach the API', () => {
  it('hold the token, and nothing of who the caller is', () => {
    const given = [
      'AUTHORIZATION',
      'Bearer tbk_x',
      'Host',
      'evil.example',
      'X-Forwarded-For',
      '1.2.3.4',
      'Forwarded',
      'for=x',
    ];
    expect(sent([...given, 'X-Real-IP', '1.2.3.4', 'Client-Cert', ':x:', 'Expect', '100-continue'])).toEqual({
      authorization: 'Bearer secret',
      'x-unit': 'default',
      cookie: 'session=ours',
      via: '1.1 token-broker',
    });
  });

  it('hold the key of the caller in no case, were it not replaced by a token', () => {
    const given = { token: { headers: { 'X-Token': 'secret' } }, api, keepsLength: false };
    const headers = requestHeaders(['Authorization', 'Bearer tbk_x', 'authorization', 'Basic x'], given);
    expect(joined(headers)).toEqual({ 'x-token': 'secret', via: '1.1 token-broker' });
  });

  it('hold nothing that belongs to the connection, nor what it names', () => {
    const given = [
      'Connection',
      'close, X-Hop',
      'connection',
      'Authorization',
      'X-Hop',
      '1',
      'TE',
      'trailers',
      'Keep-Alive',
      '1',
    ];
    const more = [
      'Transfer-Encoding',
      'chunked',
      'Trailer',
      'x',
      'Upgrade',
      'h2c',
      'Proxy-Authorization',
      'x',
      'HTTP2-Settings',
      'x',
    ];
    const headers = sent([...given, ...more, 'X-Kept', '1']);
    expect(Object.keys(headers).sort()).toEqual(['authorization', 'cookie', 'via', 'x-kept', 'x-unit']);
    expect(headers['authorization']).toBe('Bearer secret');
  });

  it('are the caller’s own only where the definition lets it', () => {
    expect(sent(['x-unit', 'mine'])['x-unit']).toBe('mine');
    expect(sent(['authorization', 'mine', 'Authorization', 'mine too'])['authorization']).toBe('Bearer secret');
  });

  it('keep the caller’s cookies but for those of the provider’s', () => {
    expect(sent(['Cookie', 'a=1; session=mine', 'cookie', 'b=2'])['cookie']).toBe('a=1; b=2; session=ours');
  });

  it('tell the length where it is still true', () => {
    expect(sent(['Content-Length', '7'])['content-length']).toBeUndefined();
    expect(sent(['Content-Length', '7'], true)['content-length']).toBe('7');
  });
});

describe('the headers that reach the caller', () => {
  it('are the API’s, those of the connection excepted, and say whose they are', () => {
    const given = [
      'Set-Cookie',
      'a=1',
      'set-cookie',
      'b=2',
      'Connection',
      'X-Hop',
      'X-Hop',
      '1',
      'Transfer-Encoding',
      'chunked',
    ];
    expect(
      responseHeaders([
        ...given,
        'Location',
        'https://other.example/',
        'Via',
        '1.1 varnish',
        'tokenbroker-origin',
        'broker',
      ]),
    ).toEqual([
      ...['Set-Cookie', 'a=1', 'set-cookie', 'b=2', 'Location', 'https://other.example/'],
      ...['Via', '1.1 varnish, 1.1 token-broker', 'tokenbroker-origin', 'upstream'],
    ]);
  });
});
