import type { IncomingMessage } from 'node:http';
import { credentialsOf, stripCertificate } from './credentials';

/** As Node makes them: headers by name, of several Authorization the first alone. */
function request(...rawHeaders: string[]): IncomingMessage {
  const headers: Record<string, string> = {};
  for (let at = 0; at < rawHeaders.length; at += 2) headers[rawHeaders[at]!.toLowerCase()] ??= rawHeaders[at + 1]!;
  return { headers, rawHeaders, socket: { remoteAddress: '192.0.2.1' } } as unknown as IncomingMessage;
}

describe('what a request says of who sends it', () => {
  it('is nothing that can be believed where it says it twice', () => {
    expect(credentialsOf(request('Authorization', 'Bearer a')).authorization).toBe('Bearer a');
    expect(credentialsOf(request('Authorization', 'Bearer a', 'AUTHORIZATION', 'Bearer b')).authorization).toBe('');
    expect(credentialsOf(request('Host', 'x')).authorization).toBeUndefined();
  });

  it('does not hold a certificate that anybody but a trusted proxy tells of, and is sent on to nobody', () => {
    const shown = ['Host', 'x', 'Client-Cert', ':AAAA:', 'client-cert', ':BBBB:', 'Accept', '*/*'];
    const forged = request(...shown);
    stripCertificate(forged, 'client-cert', false);
    expect(forged.headers).toEqual({ host: 'x', accept: '*/*' });
    expect(forged.rawHeaders).toEqual(['Host', 'x', 'Accept', '*/*']);
    const told = request(...shown);
    stripCertificate(told, 'client-cert', true);
    expect(told.headers).toHaveProperty('client-cert', ':AAAA:');
    expect(told.rawHeaders).toEqual(['Host', 'x', 'Accept', '*/*']);
  });
});
