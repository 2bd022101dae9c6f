import type { IssuedToken } from '#providers';
import type { ClientRecord } from '#registry';
import { Registration } from './registration';

/** Two changes of one client that overtake each other: the moment between two awaits, which no real part can be held at. */
describe('a registration overtaken by another change', () => {
  const definition = { id: 'p', inputs: {}, steps: [], token: { value: '', expiry: [] }, present: { headers: {} } };
  const record = { id: 'c', name: 'eu', provider: 'p', enabled: true, version: 1, secretVersion: 2, inputs: {} };

  it.each([
    ['a later secret', { enabled: true, secretVersion: 3 }, []],
    ['a disabling', { enabled: false, secretVersion: 2 }, []],
    ['nothing', { enabled: true, secretVersion: 2 }, ['admitted']],
  ])('by %s stores no token of its own under what came after', async (_, present, expected) => {
    const told: string[] = [];
    const registration = new Registration({
      definitions: { choose: async () => ({ provider: 'p', version: 1, definition }) } as never,
      clients: {
        load: async () => ({ ...present, definition, inputs: async () => ({}) }),
        update: async () => record,
      } as never,
      tokens: { admit: async () => told.push('admitted'), change: async () => told.push('changed') } as never,
      requestToken: async () => ({}) as IssuedToken,
      allowedOrigins: [],
      logger: { warn: (fault: object) => told.push(JSON.stringify(fault)) } as never,
    });
    await registration.change(record as unknown as ClientRecord, 1, { inputs: {} }, true, { actor: 'a' });
    expect(told).toEqual(expected);
  });
});
