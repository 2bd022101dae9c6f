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

  it('hold up nobody once they are read: no process waits at its end for a patience that was not needed', async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    load = async () => client;
    await clients.load('eu');
    now += 1_000_000;
    const before = timers();
    await clients.load('eu');
    expect(timers()).toBe(before);
  });

  it('are not there when they were changed while they were loaded, one or many: they may have been read before', async () => {
    let loaded!: () => void;
    const loading = new Promise<void>((resolve) => (loaded = resolve));
    const loadClient = (id: string) => loading.then(() => ({ ...client, id }));
    const fresh = new RenewableClients(loadClient, systemClock);
    const one = fresh.load('eu');
    const many = fresh.take(() => Promise.all(['us', 'asia'].map(loadClient)));
    fresh.drop('eu');
    fresh.drop('asia');
    loaded();
    expect(await one).toEqual(client);
    await many;
    expect([...fresh.known()].map(({ id }) => id)).toEqual(['us']);
  });
});
