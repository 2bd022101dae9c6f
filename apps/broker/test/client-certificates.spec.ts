import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import type { RunningBroker } from '../../../test/harness/broker';
import { Authority, type Identity, type Subject } from '../../../test/issuer/authority';
import { type Fleet, startFleet, until } from './fleet';

const pattern = 'spiffe://example\\.org/ns/shop/sa/(?<service>[a-z-]+)';
const spiffe = (service: string) => `spiffe://example.org/ns/shop/sa/${service}`;

describe('client certificates', () => {
  let folder: string;
  let authority: Authority;
  let other: Authority;
  let fleet: Fleet;
  let key: string;
  const path = (name: string) => join(folder, name);
  const showAs = async (subject: string, from = authority) => {
    const { certificate, privateKey } = await from.issue({ subject: `CN=${subject}`, dns: ['localhost'] });
    writeFileSync(path('cert.pem'), certificate);
    writeFileSync(path('key.pem'), privateKey);
  };
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-tls-'));
    [authority, other] = await Promise.all([Authority.create('Ours'), Authority.create('Theirs')]);
    await showAs('first');
    writeFileSync(path('ca.pem'), authority.certificate);
    fleet = await startFleet(1, {
      TLS_PORT: '0',
      ...{ TLS_CERT_FILE: path('cert.pem'), TLS_KEY_FILE: path('key.pem'), TLS_CLIENT_CA_FILE: path('ca.pem') },
      CLIENT_CERTIFICATE_SERVICE: JSON.stringify({ from: 'uri', pattern }),
      ...{ CLIENT_CERTIFICATE_HEADER: 'Client-Cert', TRUSTED_PROXIES: '127.0.0.1' },
    });
    await fleet.register('eu');
    await fleet.register('other');
    await fleet.service('checkout', 'eu');
    key = await fleet.service('stranger');
  }, 60_000);
  afterAll(async () => {
    await fleet.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const placeOf = ({ output }: RunningBroker) => {
    const line = output()
      .split('\n')
      .find((one) => one.includes('serving with TLS'))!;
    return { port: Number(new URL((JSON.parse(line) as { url: string }).url).port) };
  };
  const issue = (subject: Partial<Subject>, from = authority) => from.issue({ subject: 'CN=client', ...subject });
  const overTls = (identity?: Identity, headers: RequestOptions['headers'] = {}, client = 'eu', agent?: Agent) =>
    new Promise<number>((resolve, reject) => {
      const shown = identity && { cert: identity.certificate, key: identity.privateKey };
      const { port } = placeOf(fleet.brokers[0]!);
      const ca = [authority.certificate, other.certificate];
      const to = { host: '127.0.0.1', port, servername: 'localhost', path: `/v1/clients/${client}/token` };
      request({ ...to, ...shown, ca, headers: { ...headers, host: 'localhost' }, agent: agent ?? false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode!);
      })
        .on('error', reject)
        .end();
    });
  const headerOf = ({ certificate }: Identity) => `:${certificate.replace(/-----[^-]+-----|\s/g, '')}:`;

  it('of an authority that is trusted stand for a service, with its grants and no others', async () => {
    const identity = await issue({ uri: [spiffe('checkout')] });
    expect(await overTls(identity)).toBe(200);
    expect(await overTls(identity, {}, 'other')).toBe(404);
    expect(await overTls(undefined)).toBe(401);
  });

  it.each<[string, () => Promise<Identity>]>([
    ['of another authority', () => issue({ uri: [spiffe('checkout')] }, other)],
    ['that have expired', () => issue({ uri: [spiffe('checkout')], fromHours: -48, toHours: -24 })],
    ['that are not valid yet', () => issue({ uri: [spiffe('checkout')], fromHours: 24, toHours: 48 })],
    ['without a name of that kind', () => issue({ dns: ['checkout'] })],
    ['with another name', () => issue({ uri: ['spiffe://example.org/ns/other/sa/checkout'] })],
    ['with the names of two services', () => issue({ uri: [spiffe('checkout'), spiffe('stranger')] })],
    ['with a name that looks like two', () => issue({ uri: [`${spiffe('checkout')}, URI:${spiffe('x')}`] })],
    ['of a service that there is not', () => issue({ uri: [spiffe('nobody')] })],
  ])('%s are as none', async (_, identity) => {
    expect(await overTls(await identity())).toBe(401);
    expect(await overTls(await identity(), { authorization: `Bearer ${key}` })).toBe(404); // the key alone counts
  });

  it('count for nothing beside an Authorization, good or bad', async () => {
    const identity = await issue({ uri: [spiffe('checkout')] });
    expect(await overTls(identity, { authorization: `Bearer ${key}` })).toBe(404);
    expect(await overTls(identity, { authorization: 'Bearer nonsense' })).toBe(401);
    expect(await overTls(identity, { authorization: 'Basic eDp5' })).toBe(401);
  });

  it('are told by a trusted proxy in its header, and by nobody else', async () => {
    const good = headerOf(await issue({ uri: [spiffe('checkout')] }));
    const expired = headerOf(await issue({ uri: [spiffe('checkout')], fromHours: -48, toHours: -24 }));
    const from = async (broker: RunningBroker, told: string) =>
      (await fetch(`${broker.url}/v1/clients/eu/token`, { headers: { 'client-cert': told } })).status;
    const [trusting] = fleet.brokers as [RunningBroker];
    expect(await from(trusting, good)).toBe(200);
    for (const bad of [expired, 'nonsense', '::', ':AAAA:', `${good}, ${good}`])
      expect(await from(trusting, bad)).toBe(401);
    const wary = await fleet.addBroker({ TRUSTED_PROXIES: '192.0.2.1', TLS_PORT: '0' });
    expect(await from(wary, good)).toBe(401);
  });

  it('are asked for with TLS 1.2 or later', async () => {
    const { port } = placeOf(fleet.brokers[0]!);
    const versions = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const;
    const old = { host: '127.0.0.1', port, rejectUnauthorized: false, ciphers: 'DEFAULT@SECLEVEL=0', ...versions };
    await expect(
      new Promise((resolve, reject) => connect(old, () => resolve('connected')).on('error', reject)),
    ).rejects.toMatchObject({ code: expect.stringMatching(/PROTOCOL_VERSION|ECONNRESET/) });
  });

  it('and the own one are read again on SIGHUP; a file that cannot be used leaves all as it was', async () => {
    const { port } = placeOf(fleet.brokers[0]!);
    const subject = () =>
      new Promise<string>((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
          resolve(String(socket.getPeerCertificate().subject.CN));
          socket.destroy();
        }).on('error', reject);
      });
    const reloaded = async () => process.kill(fleet.brokers[0]!.pid, 'SIGHUP');
    expect(await subject()).toBe('first');
    await showAs('second');
    await reloaded();
    expect(await until(subject, (name) => name === 'second')).toBe('second');
    writeFileSync(path('key.pem'), 'nonsense');
    await reloaded();
    const said = 'the TLS files cannot be used';
    await until(
      async () => fleet.brokers[0]!.output(),
      (text) => text.includes(said),
    );
    expect(await subject()).toBe('second');

    const identity = await issue({ uri: [spiffe('checkout')] });
    // On a connection that stays open.
    const agent = new Agent({ keepAlive: true });
    expect(await overTls(identity, {}, 'eu', agent)).toBe(200);
    await showAs('third', other);
    writeFileSync(path('ca.pem'), other.certificate);
    await reloaded();
    await until(subject, (name) => name === 'third');
    expect(await overTls(identity, {}, 'eu', agent).catch(() => 401)).toBe(401);
    expect(await overTls(identity)).toBe(401);
    expect(await overTls(await issue({ uri: [spiffe('checkout')] }, other))).toBe(200);
    agent.destroy();
  });
});
