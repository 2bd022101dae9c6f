import { type IssuedToken, Throttled } from '#providers';
import type { ClientRecord } from '#registry';
import { Registration } from './registration';

const definition = {
  ...{ id: 'p', inputs: {}, steps: [{ id: 'token', method: 'POST', url: 'https://p.example/token' }], present: {} },
  token: { value: '{{steps.token.body.access_token}}', expiry: [{ fixed_s: 300 }] },
};

/** Two changes of one client that overtake each other: the moment between two awaits, which no real part can be held at. */
describe('a registration overtaken by another change', () => {
  const record = { id: 'c', name: 'eu', provider: 'p', enabled: true, version: 1, secretVersion: 2, inputs: {} };

  it.each([
    ['a later secret', { enabled: true, secretVersion: 3 }, []],
    ['a disabling', { enabled: false, secretVersion: 2 }, []],
    ['nothing', { enabled: true, secretVersion: 2 }, ['admitted']],
  ])('by %s stores no token of its own under what came after', async (_, present, expected) => {
    const told: string[] = [];
    const registration = new Registration({
      definitions: { choose: async () => ({ provider: 'p', version: 1, definition }) } as never,
      clients: { update: async () => record } as never,
      loaded: { load: async () => ({ ...present, definition, inputs: async () => ({}) }) } as never,
      tokens: {
        admit: async () => told.push('admitted'),
        change: async () => told.push('changed'),
        tryOut: (_definition: unknown, _hosts: unknown, ask: () => unknown) => ask(),
      } as never,
      requestToken: async () => ({}) as IssuedToken,
      allowedOrigins: [],
      logger: { warn: (fault: object) => told.push(JSON.stringify(fault)) } as never,
    });
    await registration.change(record as unknown as ClientRecord, 1, { inputs: {} }, true, { actor: 'a' });
    expect(told).toEqual(expected);
  });
});

it('a trial that the quota of the provider has no room for is not made, and nothing is stored', async () => {
  const done: string[] = [];
  const registration = new Registration({
    definitions: { choose: async () => ({ provider: 'p', version: 1, definition }) } as never,
    clients: { exists: async () => false, register: async () => done.push('stored') } as never,
    loaded: {} as never,
    tokens: { tryOut: () => Promise.reject(new Throttled({ message: 'used up', retryAfterSeconds: 7 })) } as never,
    requestToken: async () => (done.push('asked'), {}) as IssuedToken,
    allowedOrigins: [],
    logger: {} as never,
  });
  const created = registration.register({ name: 'eu', provider: 'p', inputs: {} }, true, { actor: 'a' });
  await expect(created).rejects.toMatchObject({ code: 'throttled', failure: { retryAfterSeconds: 7 } });
  expect(done).toEqual([]);
});
