import { setTimeout as pause } from 'node:timers/promises';
import { type Fleet, startFleet } from '../../apps/broker/test/fleet';
import { startBroker } from '../harness/broker';
import { freePort } from '../harness/free-port';
import { TokenBroker } from '#sdk';

const clients = ['eu', 'us', 'ap'];
/** Short, so that each restart meets tokens that have to be renewed meanwhile. */
const ttlSeconds = 20;

/** What a program does that lives on tokens: calls the provider's API without a pause, and counts what failed. */
class Load {
  calls = 0;
  readonly failures: string[] = [];
  #ended = false;
  readonly #runs: Promise<void>[];

  constructor(apis: (() => Promise<Response>)[]) {
    this.#runs = apis.map(async (call) => {
      while (!this.#ended) {
        await call().then(
          ({ ok, status }) => ok || this.failures.push(`status ${status}`),
          (error: unknown) => this.failures.push(String(error)),
        );
        this.calls++;
        await pause(5);
      }
    });
  }

  async end(): Promise<void> {
    this.#ended = true;
    await Promise.all(this.#runs);
  }
}

describe('a program that gets its tokens through the SDK', () => {
  let fleet: Fleet;
  let broker: TokenBroker;
  let url: string;
  let load: Load;
  let answered = 0;

  beforeAll(async () => {
    const PORT = String(await freePort());
    fleet = await startFleet(1, { PORT });
    url = fleet.brokers[0]!.url;
    for (const name of clients) await fleet.register(name, { ttlSeconds });
    const key = await fleet.service('checkout', ...clients);
    const counted = async (...request: Parameters<typeof fetch>): Promise<Response> => {
      const response = await fetch(...request);
      if (response.url.startsWith(url)) answered++;
      return response;
    };
    broker = new TokenBroker({ url, key, fetch: counted });
    const apis = clients.map((name) => {
      const api = broker.fetchFor(name, { origins: [fleet.simulator.url] });
      return () => api('/v2/customers/lookup');
    });
    load = new Load([...apis, ...apis]);
  }, 60_000);

  afterAll(async () => {
    await load?.end();
    await fleet?.stop();
  });

  const restart = async (signal: NodeJS.Signals): Promise<void> => {
    const [running] = fleet.brokers;
    await running!.kill(signal);
    const before = { answered, calls: load.calls };
    fleet.brokers[0] = await startBroker({ env: fleet.env });
    // It has spoken to the new one before that is ended, too.
    while (answered === before.answered || load.calls < before.calls + 100) await pause(20);
  };

  it('has no failed call of its own while the broker is restarted ten times, and killed once', async () => {
    for (let restarts = 0; restarts < 10; restarts++) await restart('SIGTERM');
    await restart('SIGKILL');
    await load.end();
    expect(load.failures).toEqual([]);
    expect(load.calls).toBeGreaterThan(1_000);
    for (const name of clients) expect((await fleet.calls(name)).issued).toBeGreaterThan(2);
  }, 240_000);

  it('gets a token that it never had while the broker is still starting', async () => {
    await fleet.register('late', { ttlSeconds });
    await fleet.admin('POST', '/v1/grants', { service: 'checkout', client: 'late' });
    await fleet.brokers[0]!.kill('SIGTERM');
    const wanted = broker.getToken('late');
    fleet.brokers[0] = await startBroker({ env: fleet.env });
    expect((await wanted).client).toBe('late');
  }, 60_000);
});
