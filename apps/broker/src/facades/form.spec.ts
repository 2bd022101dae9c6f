import fc from 'fast-check';
import { clientAuthentication } from './client-authentication';
import { readForm } from './form';
import { OAuthError } from './oauth-error';
import { targetOf } from './target';

const request = (authorization?: string) =>
  ({
    headers: authorization === undefined ? {} : { authorization },
    headersDistinct: authorization === undefined ? {} : { authorization: [authorization] },
    socket: { remoteAddress: '127.0.0.1' },
  }) as never;
const target = (value: string, parameter = 'resource') =>
  targetOf(readForm(new URLSearchParams({ [parameter]: value }).toString(), ''), { audience: true })?.client;
/** What is given, or the code of the refusal; anything else that is thrown fails. */
const outcome = <T>(act: () => T): T | string => {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof OAuthError)) throw error;
    return error.code;
  }
};
const name = fc.stringMatching(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/);
const wild = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: fc.constantFrom(...'/:?#@%&=+ \0\r\n.eu') }));

describe('a token request', () => {
  it('has its credentials read from Basic as RFC 6749 encodes them, whatever characters they have', () => {
    const encode = (text: string) => new URLSearchParams({ '': text }).toString().slice(1);
    fc.assert(
      fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), fc.string({ minLength: 1 }), (id, secret) => {
        const header = `Basic ${Buffer.from(`${encode(id)}:${encode(secret)}`).toString('base64')}`;
        const { claimed, credentials, ...shown } = clientAuthentication(request(header), new Map());
        expect([claimed, shown.secret]).toEqual([id, secret]);
        expect(credentials.authorization).toBe(secret.startsWith(' ') ? 'Bearer' : `Bearer ${secret}`);
      }),
    );
  });

  it('with any Authorization header is read or refused, never more', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          wild,
          wild.map((text) => `Basic ${Buffer.from(text).toString('base64')}`),
        ),
        (header) => {
          const read = outcome(() => clientAuthentication(request(header), new Map()).claimed);
          expect(read).toEqual(expect.any(String));
        },
      ),
    );
  });

  it('with any body and query is read or refused, never more', () => {
    fc.assert(
      fc.property(wild, wild, (body, query) => {
        const form = outcome(() => readForm(body, query));
        if (typeof form !== 'string') outcome(() => targetOf(form, { audience: true }));
      }),
    );
  });

  it('names a client in each form by the same name', () => {
    fc.assert(
      fc.property(name, (client) => {
        expect(target(client)).toBe(client);
        expect(target(`urn:token-broker:client:${client}`)).toBe(client);
        expect(target(`https://tokens.example.com:8443/broker/v1/clients/${client}`, 'audience')).toBe(client);
        expect(target(`client:${client}`, 'scope')).toBe(client);
      }),
    );
  });

  it('never names what could not be a name', () => {
    fc.assert(
      fc.property(
        wild,
        fc.constantFrom('', 'urn:token-broker:client:', 'http://x/v1/clients/', 'client:'),
        (text, lead) => {
          for (const parameter of ['resource', 'audience', 'scope']) {
            const named = outcome(() => target(`${lead}${text}`, parameter));
            if (named !== undefined)
              expect(named).toMatch(/^([a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?|invalid_(target|scope))$/);
          }
        },
      ),
    );
  });

  it.each([
    ['http://x/v1/clients/eu#a'],
    ['http://user@x/v1/clients/eu'],
    ['http://x/v1/clients/eu/token'],
    ['http://x/v1/clients/eu/'],
    ['http://x/v1/clients/%65u'],
    ['ftp://x/v1/clients/eu'],
    ['/v1/clients/eu'],
    ['urn:token-broker:client:'],
    ['urn:other:client:eu'],
  ])('does not take %s for a client', (resource) => {
    expect(outcome(() => target(resource))).toBe('invalid_target');
  });
});
