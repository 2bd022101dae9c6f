import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { systemClock } from '../clock';
import { Conversation, capillary, clientSecret } from '../testing/conversation.fixture';
import { createTokenRequester } from '../request/token-requester';

const talk = Conversation.forThisFile();

describe('an answer is bounded', () => {
  const token = { data: { accessToken: 't', ttlSeconds: 60 } };
  const bomb = gzipSync(Buffer.alloc(50_000_000, 32));

  it.each([
    ['long', { body: ' '.repeat(65_537) }],
    ['a gzip bomb', { headers: { 'content-encoding': 'gzip' }, body: bomb }],
    ['a small gzip bomb', { headers: { 'content-encoding': 'gzip' }, body: gzipSync(Buffer.alloc(70_000, 32)) }],
    ['broken gzip', { headers: { 'content-encoding': 'gzip' }, body: '{}' }],
    ['encoded twice', { headers: { 'content-encoding': 'gzip, gzip' }, body: gzipSync(gzipSync('{}')) }],
    ['with endless headers', { headers: { x: 'y'.repeat(20_000) }, body: token }],
  ])('one that is %s makes the provider unavailable', async (_, given) => {
    expect(await talk.failure(given)).toMatchObject({ code: 'provider_unavailable' });
  });

  it.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('one that is compressed (%s) unasked is read', async (encoding, compress) => {
    talk.answer = { headers: { 'content-encoding': encoding }, body: compress(JSON.stringify(token)) };
    expect((await talk.request()).lifeSeconds).toBe(60);
    expect(talk.received[0]!.headers['accept-encoding']).toBe('identity');
  });

  it.each<[string, RequestListener]>([
    ['silence', () => {}],
    ['a body that never ends', (_, res) => void res.writeHead(200).write('{')],
    [
      'a body that trickles',
      (_, res) => {
        const timer = setInterval(() => res.write(' '), 20);
        res.on('close', () => clearInterval(timer));
      },
    ],
  ])('%s ends at the deadline', async (_, listener) => {
    const started = performance.now();
    expect(await talk.failure(listener)).toMatchObject({
      code: 'provider_unavailable',
      message: 'the provider did not answer in time',
    });
    expect(performance.now() - started).toBeLessThan(2000);
  });

  it.each<[string, RequestListener]>([
    ['before the headers', (req) => req.socket.resetAndDestroy()],
    [
      'after the headers',
      (req, res) => res.writeHead(200, { 'content-length': '99' }).write('{', () => req.socket.resetAndDestroy()),
    ],
    ['of garbage', (req) => void req.socket.end(`HTTP/1.1 200 ${clientSecret}\0\r\n\r\n`)],
  ])('a reset %s is unavailability, and the request is not repeated', async (_, listener) => {
    expect(await talk.failure(listener)).toMatchObject({ code: 'provider_unavailable' });
    expect(talk.received).toHaveLength(1);
  });

  it('a caller who gives up is heard at once', async () => {
    talk.answer = () => {};
    const controller = new AbortController();
    const inputs = { base_url: talk.provider.origin, key: 'a', secret: 'b' };
    const pending = talk.requester.requestToken(capillary, inputs, controller.signal);
    controller.abort();
    await expect(pending).rejects.toMatchObject({ code: 'provider_unavailable', message: 'the request was cancelled' });
  });
});

/** Self-signed for 127.0.0.1, and used nowhere else. */
const key = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgq8Ko4wgheFl0ghd2
904O8u1JSTPZCyyWllkLzrIZoz6hRANCAAQYVKlHWCcpDIIrnWpBiPq1Au/qv7tM
/2dMfFFPjRHurSfMuE2PG+Q5LbHvAJ6assKB9krPbhEVd2lYmN3iqryX
-----END PRIVATE KEY-----`;
const cert = `-----BEGIN CERTIFICATE-----
MIIBkDCCATagAwIBAgIUfYbpynMFrHVfV0ROMLeoy1qLiIQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2MTEyMzIxMzA0OFoYDzIxMjYxMDMw
MjEzMDQ4WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAAQYVKlHWCcpDIIrnWpBiPq1Au/qv7tM/2dMfFFPjRHurSfMuE2PG+Q5
LbHvAJ6assKB9krPbhEVd2lYmN3iqryXo2QwYjAdBgNVHQ4EFgQUhJKWT95s8CjF
hZ+0lkxMHDVYTuQwHwYDVR0jBBgwFoAUhJKWT95s8CjFhZ+0lkxMHDVYTuQwDwYD
VR0TAQH/BAUwAwEB/zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0gAMEUC
IQCDsRQ9ZeFbsjulXZoOAautCojmf4OPr+bUMMlid1Q5XQIgcfK/epGG0Iu3SXsb
4tQIYjgXY7FpExHXUbAy9gSznfs=
-----END CERTIFICATE-----`;

describe('TLS', () => {
  /** Asks a server that speaks as the test wants. */
  async function failureBy(server: Server): Promise<unknown> {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const requester = createTokenRequester({ clock: systemClock, allowedOrigins: [origin] });
    try {
      const pending = requester.requestToken(capillary, { base_url: origin, key: 'a', secret: 'b' });
      return await pending.catch((error: unknown) => error);
    } finally {
      await requester.close();
      await new Promise((resolve) => server.close(resolve));
    }
  }

  it('is verified even where the origin is allowed', async () => {
    let asked = 0;
    const server = createServer({ key, cert }, (_, response) => response.end(String(asked++)));
    expect(await failureBy(server)).toMatchObject({
      code: 'provider_unavailable',
      failure: { hint: expect.stringMatching(/certificate/) },
    });
    expect(asked).toBe(0);
  });

  it.each([
    ['bad_certificate', 42, 'credentials_refused'],
    ['unsupported_certificate', 43, 'credentials_refused'],
    ['certificate_revoked', 44, 'credentials_refused'],
    ['certificate_expired', 45, 'credentials_refused'],
    ['certificate_unknown', 46, 'credentials_refused'],
    ['unknown_ca', 48, 'credentials_refused'],
    ['access_denied', 49, 'credentials_refused'],
    ['certificate_required', 116, 'credentials_refused'],
    ['handshake_failure', 40, 'provider_unavailable'],
  ])('that a server breaks off with %s, which is about our certificate, is told as that', async (_, alert, code) => {
    // RFC 8446 5.1 and 6: a record of the kind alert, of TLS 1.2, 2 bytes long, which are "fatal" and the alert.
    const record = Buffer.from([21, 3, 3, 0, 2, 2, alert]);
    const server = createTcpServer((socket) => socket.once('data', () => socket.end(record)).on('error', () => {}));
    expect(await failureBy(server)).toMatchObject({
      code,
      failure: { hint: expect.stringMatching(/client certificate/) },
    });
  });
});
