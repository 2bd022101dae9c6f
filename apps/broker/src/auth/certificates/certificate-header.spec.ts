import fc from 'fast-check';
import { Authority, type Identity } from '../../../../../test/issuer/authority';
import { readCertificateHeader } from './certificate-header';
import { serviceOf } from './certificate-names';

const uri = 'spiffe://example.org/checkout';

describe('what a proxy tells of a client certificate', () => {
  let identity: Identity;
  beforeAll(async () => {
    const authority = await Authority.create('Proxy');
    identity = await authority.issue({
      subject: 'CN=checkout',
      uri: [uri],
      dns: ['checkout.example.org', 'b.example'],
    });
  });
  const whole = { uri: [uri], dns: ['checkout.example.org', 'b.example'], cn: ['checkout'] };
  const der = () => identity.certificate.replace(/-----[^-]+-----|\s/g, '');
  const escaped = () => encodeURIComponent(identity.certificate);

  it.each<[string, string, () => string]>([
    ['RFC 9440', 'client-cert', () => `:${der()}:`],
    ['nginx', 'ssl-client-cert', escaped],
    [
      'a load balancer of AWS',
      'x-amzn-mtls-clientcert-leaf',
      () => escaped().replaceAll('%2B', '+').replaceAll('%2F', '/'),
    ],
    ['HAProxy', 'x-ssl-client-der', der],
    [
      'Envoy',
      'x-forwarded-client-cert',
      () => `Hash=abc;Cert="${escaped()}";Subject="CN=x;URI=y,CN=z";URI=spiffe://other`,
    ],
    [
      'several Envoys, of which the last is ours',
      'x-forwarded-client-cert',
      () => `URI=spiffe://forged,By=x;Cert="${escaped()}"`,
    ],
  ])('is read as %s writes it', (_, name, value) => {
    const { names, certificate } = readCertificateHeader(name, value());
    expect(names).toEqual(whole);
    expect(certificate!.subject).toContain('CN=checkout');
  });

  it('is only names where Envoy tells no more', () => {
    const value = `By=spiffe://a;Hash=b;Subject="CN=\\"x\\",O=y;DNS=forged";URI=${uri};DNS=one.example;DNS=two.example`;
    expect(readCertificateHeader('x-forwarded-client-cert', value)).toEqual({
      names: { uri: [uri], dns: ['one.example', 'two.example'], cn: [] },
    });
  });

  it('is nothing, or names of its own, whatever else is written there', () => {
    const names = fc.constantFrom('client-cert', 'x-forwarded-client-cert', 'ssl-client-cert');
    fc.assert(
      fc.property(names, fc.string(), (name, value) => {
        try {
          expect(readCertificateHeader(name, value)).toHaveProperty('names');
        } catch (error) {
          expect((error as Error).message).not.toBe('');
        }
      }),
    );
    for (const value of [der(), `:${der()}`, `:${der()}:, :${der()}:`, escaped(), '::'])
      expect(() => readCertificateHeader('client-cert', value)).toThrow(Error);
  });

  it('names a service only where there is one alone', () => {
    const pattern = /^(?:spiffe:\/\/example\.org\/(?<service>[a-z]+))$/u;
    expect(serviceOf(whole, { from: 'uri', pattern })).toBe('checkout');
    expect(serviceOf(whole, { from: 'cn' })).toBe('checkout');
    expect(serviceOf(whole, { from: 'dns' })).toBeUndefined();
    expect(serviceOf({ ...whole, cn: ['a', 'a'] }, { from: 'cn' })).toBe('a');
    expect(serviceOf({ ...whole, cn: ['a', 'b'] }, { from: 'cn' })).toBeUndefined();
    expect(serviceOf({ ...whole, cn: ['Not A Name'] }, { from: 'cn' })).toBeUndefined();
  });

  it.each(['By=spiffe://b;Hash=a;URI=spiffe://real', 'By=b;Hash=a;Subject="CN=x \\"y";URI=spiffe://real'])(
    'does not let a caller swallow what Envoy adds by a quote that he leaves open: %s',
    (added) => {
      for (const forged of ['URI=spiffe://victim;By="', 'URI=spiffe://victim;By="\\', 'URI=spiffe://victim;By="\\"'])
        expect(() => readCertificateHeader('x-forwarded-client-cert', `${forged},${added}`)).toThrow('quote');
      const { names } = readCertificateHeader('x-forwarded-client-cert', `URI=spiffe://victim,${added}`);
      expect(names.uri).toEqual(['spiffe://real']);
    },
  );
});
