import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Authority } from '../../../../test/issuer/authority';
import { InvalidConfig, readConfig } from '../config';

describe('settings of who may ask', () => {
  let folder: string;
  let tls: Record<string, string>;
  let foreignKey: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-config-'));
    const authority = await Authority.create('Config');
    const [one, other] = await Promise.all(['a', 'b'].map((name) => authority.issue({ subject: `CN=${name}` })));
    tls = { TLS_PORT: '0', TLS_CERT: one!.certificate, TLS_KEY: one!.privateKey };
    foreignKey = other!.privateKey;
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const faultsOf = (env: Record<string, string>): string[] => {
    try {
      readConfig({ DATA_DIR: join(folder, 'data'), ...env });
      return [];
    } catch (error) {
      if (error instanceof InvalidConfig) return error.faults;
      throw error;
    }
  };
  const issuers = (...list: object[]) => ({ JWT_ISSUERS: JSON.stringify(list) });
  const issuer = { issuer: 'https://a.example', audience: 'x' };

  it.each<[string, Record<string, string>, RegExp]>([
    ['no JSON', { JWT_ISSUERS: 'https://a.example' }, /must be JSON/],
    ['no list', { JWT_ISSUERS: '{}' }, /JWT_ISSUERS must be array/],
    ['no audience', issuers({ issuer: 'https://a.example' }), /JWT_ISSUERS\/0 must have required property 'audience'/],
    ['an empty audience', issuers({ ...issuer, audience: [] }), /JWT_ISSUERS\/0\/audience/],
    ['what is not known', issuers({ ...issuer, algorithm: 'x' }), /has no property "algorithm"/],
    ['HS256', issuers({ ...issuer, algorithms: ['HS256'] }), /algorithms\/0 must be one of RS256/],
    ['none', issuers({ ...issuer, algorithms: ['none'] }), /algorithms\/0 must be one of RS256/],
    [
      'plain http',
      issuers({ ...issuer, issuer: 'http://a.example' }),
      /issuer must begin with https.*ALLOWED_PROVIDER_HOSTS/,
    ],
    ['plain http for keys', issuers({ ...issuer, jwks_uri: 'http://a.example' }), /jwks_uri must begin with https/],
    ['no URL to look at', issuers({ ...issuer, issuer: 'kubernetes' }), /issuer is no URL/],
    ['a pattern without the service', issuers({ ...issuer, service: { pattern: 'a(.*)' } }), /must have a group/],
    [
      'a pattern that is none',
      issuers({ ...issuer, service: { pattern: '(?<service>a' } }),
      /service\/pattern: Invalid/,
    ],
    ['a file that there is not', issuers({ ...issuer, ca_file: '/nowhere' }), /ca_file: \/nowhere cannot be read/],
    ['an issuer twice', issuers(issuer, issuer), /names the issuer https:\/\/a.example twice/],
  ])('refuse issuers of JWTs with %s', (_, env, words) => {
    expect(faultsOf(env)).toEqual([expect.stringMatching(words)]);
  });

  it('take what they document', () => {
    expect(faultsOf(issuers(issuer, { ...issuer, issuer: 'kubernetes', jwks_uri: 'https://a.example/keys' }))).toEqual(
      [],
    );
    expect(faultsOf({ ...tls, TLS_CLIENT_CA: tls['TLS_CERT']!, CLIENT_CERTIFICATE_SERVICE: '{"from": "cn"}' })).toEqual(
      [],
    );
    const proxy = { CLIENT_CERTIFICATE_HEADER: 'Client-Cert', TRUSTED_PROXIES: '10.0.0.0/8, ::1' };
    expect(faultsOf({ ...proxy, CLIENT_CERTIFICATE_SERVICE: '{"from": "dns"}' })).toEqual([]);
  });

  it.each<[string, () => Record<string, string>, RegExp]>([
    ['a key of another certificate', () => ({ ...tls, TLS_KEY: foreignKey }), /cannot be used: .*mismatch/],
    ['no key', () => ({ TLS_PORT: '0', TLS_CERT: tls['TLS_CERT']! }), /TLS_KEY is missing/],
    ['no port', () => ({ TLS_CERT: tls['TLS_CERT']! }), /TLS_CERT is of no use without TLS_PORT/],
    [
      'authorities that are none',
      () => ({ ...tls, TLS_CLIENT_CA: 'x', CLIENT_CERTIFICATE_SERVICE: '{"from":"cn"}' }),
      /holds no certificate/,
    ],
    [
      'authorities and nothing that maps',
      () => ({ ...tls, TLS_CLIENT_CA: tls['TLS_CERT']! }),
      /of no use without CLIENT_CERTIFICATE_SERVICE/,
    ],
    [
      'a mapping and nothing to map',
      () => ({ CLIENT_CERTIFICATE_SERVICE: '{"from":"cn"}' }),
      /of no use without TLS_CLIENT_CA or/,
    ],
    [
      'a mapping of something else',
      () => ({ ...tls, TLS_CLIENT_CA: tls['TLS_CERT']!, CLIENT_CERTIFICATE_SERVICE: '{"from":"email"}' }),
      /must be JSON/,
    ],
    [
      'a header of nobody that is trusted',
      () => ({ CLIENT_CERTIFICATE_HEADER: 'Client-Cert', CLIENT_CERTIFICATE_SERVICE: '{"from":"cn"}' }),
      /needs TRUSTED_PROXIES/,
    ],
  ])('refuse %s', (_, env, words) => {
    expect(faultsOf(env())).toEqual([expect.stringMatching(words)]);
  });

  it('are read again from where they were given as files', () => {
    const files = Object.fromEntries(['TLS_CERT', 'TLS_KEY'].map((name) => [`${name}_FILE`, join(folder, name)]));
    for (const name of ['TLS_CERT', 'TLS_KEY']) writeFileSync(join(folder, name), tls[name]!);
    const { tls: settings } = readConfig({ DATA_DIR: join(folder, 'data'), TLS_PORT: '0', ...files });
    expect(settings!.read().cert).toBe(tls['TLS_CERT']!.trim());
    writeFileSync(join(folder, 'TLS_KEY'), foreignKey);
    expect(() => settings!.read()).toThrow('mismatch');
  });
});
