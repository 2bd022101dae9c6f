import { constants, createHash, generateKeyPairSync, verify } from 'node:crypto';
import { inspect } from 'node:util';
import {
  publicKeySha256,
  readCertificate,
  readPrivateKey,
  restorePem,
  sign,
  signingAlgorithm,
  UnusableKey,
} from './key-material';
import { Secret } from './secret';

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed = generateKeyPairSync('ed25519');
const pem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const encrypted = rsa.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'open sesame' })
  .toString();
const fingerprint = createHash('sha256')
  .update(rsa.publicKey.export({ type: 'spki', format: 'der' }))
  .digest('hex');

describe('a private key', () => {
  it.each([
    ['PKCS #8', pem],
    ['PKCS #1', rsa.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString()],
    ['a JWK', JSON.stringify(rsa.privateKey.export({ format: 'jwk' }))],
    ['PEM with \\n for its line breaks', pem.replaceAll('\n', '\\n')],
    ['PEM with blanks for its line breaks', pem.trim().replaceAll('\n', ' ')],
    ['PEM with no line breaks at all', pem.trim().replaceAll('\n', '')],
    ['PEM of Windows', pem.replaceAll('\n', '\r\n')],
  ])('is read from %s, and has one fingerprint in each', (_, text) => {
    expect(publicKeySha256(new Secret(text)).toString('hex')).toBe(fingerprint);
  });

  it('opens with its passphrase only', () => {
    expect(publicKeySha256(new Secret(encrypted), new Secret('open sesame')).toString('hex')).toBe(fingerprint);
    expect(() => readPrivateKey(new Secret(encrypted))).toThrow(/its passphrase is missing/);
    expect(() => readPrivateKey(new Secret(encrypted), new Secret('please'))).toThrow(
      /does not open with this passphrase/,
    );
  });

  it('signs with the algorithm that it is for', () => {
    expect([rsa, ec, ed].map(({ privateKey }) => signingAlgorithm(privateKey))).toEqual(['RS256', 'ES384', 'EdDSA']);
    expect(signingAlgorithm(generateKeyPairSync('x25519').privateKey)).toBeUndefined();
  });

  it('signs texts in each way that there is, with a key of that kind only', () => {
    const text = Buffer.from('to sign');
    const pss = { key: rsa.publicKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
    expect(verify('sha256', text, rsa.publicKey, sign('RS256', text, new Secret(pem)))).toBe(true);
    expect(
      verify('sha512', text, rsa.publicKey, sign('RS512', text, new Secret(encrypted), new Secret('open sesame'))),
    ).toBe(true);
    expect(verify('sha256', text, pss, sign('PS256', text, new Secret(pem)))).toBe(true);
    const edPem = new Secret(ed.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
    expect(verify(null, text, ed.publicKey, sign('Ed25519', text, edPem))).toBe(true);
    expect(() => sign('RS256', text, edPem)).toThrow(/is no rsa key/);
  });

  it.each([
    ['', /neither PEM/],
    ['hunter2', /neither PEM/],
    [rsa.publicKey.export({ type: 'spki', format: 'pem' }).toString(), /a certificate or a public key/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----', /ssh-keygen/],
    ['-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----', /cannot be read/],
    ['{"kty":"RSA","n":"canary"}', /without its private part/],
    ['{"kty":"canary","d":"canary"}', /not a JWK/],
    ['{canary', /not a JWK/],
  ])('that is %j is refused with what is wrong, and without it', (text, expected) => {
    try {
      readPrivateKey(new Secret(text));
      throw new Error('read');
    } catch (error) {
      expect(error).toBeInstanceOf(UnusableKey);
      expect((error as Error).message).toMatch(expected);
      expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('canary');
    }
  });

  it('leaves a text that is no PEM as it is, however long', () => {
    const text = '-----BEGIN A-----'.repeat(2000);
    expect(restorePem(text)).toBe(text);
    expect(() => readCertificate('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----')).toThrow(UnusableKey);
  });
});
