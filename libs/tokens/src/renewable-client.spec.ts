import { systemClock } from '#providers';
import { ClientNotLoaded, type RenewableClient, RenewableClients } from './renewable-client';

describe('clients in memory', () => {
  let now = 0;
  const client = { id: 'eu', version: 1 } as unknown as RenewableClient;
  let load: () => Promise<RenewableClient | undefined>;
  const clients = new RenewableClients(() => load(), { ...systemClock, monotonic: () => now });

  it('are renewed from memory though the database hangs, and those that are not in it wait', async () => {
    load = async () => client;
    await clients.load('eu');
    let fail: (error: Error) => void = () => undefined;
    load = () => new Promise((_, reject) => (fail = reject));
    now = 1_000_000; // confirmed by nobody for long
    expect(await clients.load('eu')).toBe(client);
    fail(new Error('gone')); // much later, and nobody's unhandled rejection
    const waiting = clients.load('us');
    fail(new Error('gone'));
    await expect(waiting).rejects.toThrow(ClientNotLoaded);
  });
});
