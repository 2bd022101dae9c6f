import { inspect } from 'node:util';
import { issuedKey } from './admin/issued-key';
import type { TokenBroker } from './broker';
import { FakeBroker } from './testing/fake-broker';

const key = 'tbk_a-key-that-nobody-may-see';
const fake = new FakeBroker({ key });
fake.client('eu', { outputs: { session: 'token-1-of-eu' } });
const broker: TokenBroker = fake.connect();
const made = { id: 'i', prefix: 'tbk_', expires_at: null, last_used_at: null, revoked_at: null, created_at: '', key };

/** All that a program can hold of this package. */
async function things(): Promise<[string, unknown][]> {
  const token = await broker.getToken('eu');
  const failed: unknown = await broker.getToken('us').catch((error: unknown) => error);
  const away = fake.connect({ fetch: async () => Promise.reject(new Error(`sent ${key}`)), timeoutSeconds: 0.1 });
  return [
    ...Object.entries({ broker, 'broker.admin': broker.admin, token, failed, fetchFor: apiOf(broker) }),
    ['pages', broker.admin.clients.list()],
    ['headers', token.headers],
    ['outputs', token.outputs],
    ['unreachable', await away.getToken('eu').catch((error: unknown) => error)],
    ['issued', issuedKey(made)],
    ['a function of it', { broker, token, nested: [token] }],
  ];
}

const records = new Set(['headers', 'outputs']);

const apiOf = (of: TokenBroker) => of.fetchFor('eu', { origins: ['https://api.example.com'] });

describe('what is printed of anything of this package', () => {
  it('holds no key and no token', async () => {
    for (const [name, thing] of await things()) {
      const printed = [
        inspect(thing),
        inspect(thing, { depth: Infinity, showHidden: true }),
        // A record that can be spread shows itself to who insists.
        records.has(name) ? '' : inspect(thing, { depth: Infinity, showHidden: true, customInspect: false }),
        JSON.stringify(thing) ?? '',
        String(Object(thing) === thing && 'toString' in Object(thing) ? thing : ''),
        `${(thing as Error).stack ?? ''}`,
      ].join('\n');
      expect([name, printed.includes(key), printed.includes('token-1-of-eu')]).toEqual([name, false, false]);
    }
  });

  it('still says which thing it is', async () => {
    const token = await broker.getToken('eu');
    expect(inspect(token)).toMatch(/^Token { client: "eu", expiresAt: 20/);
    expect(inspect(broker)).toBe('TokenBroker { url: "http://broker.test" }');
    expect(JSON.parse(JSON.stringify(token.headers))).toEqual({ Authorization: '[secret]' });
    expect(inspect(token.headers)).toBe("{ Authorization: '[secret]' }");
  });
});

describe('headers that print nothing', () => {
  const sent = { Authorization: 'Bearer token-1-of-eu' };

  it('can be sent, spread and read as any others', async () => {
    const { headers } = await broker.getToken('eu');
    expect({ ...headers }).toEqual(sent);
    expect(Object.entries(headers)).toEqual(Object.entries(sent));
    expect(headers['Authorization']).toBe(sent.Authorization);
    expect([...new Headers(headers)]).toEqual([['authorization', sent.Authorization]]);
    expect([...new Request('http://x', { headers }).headers]).toEqual([['authorization', sent.Authorization]]);
  });

  it('cannot be changed by one caller for all the others', async () => {
    const { headers } = await broker.getToken('eu');
    expect(() => Object.assign(headers, { Authorization: 'x' })).toThrow(TypeError);
  });

  it('are plain to libraries that ask: their prototype has none of its own', async () => {
    const { headers } = await broker.getToken('eu');
    expect(Object.getPrototypeOf(Object.getPrototypeOf(headers))).toBeNull();
  });
});
