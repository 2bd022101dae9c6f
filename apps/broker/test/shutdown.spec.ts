import { request } from 'node:http';
import { type Fleet, startFleet, until } from './fleet';
import { startWire, type Wire } from '../../../test/harness/wire';

/** What an orchestrator commonly grants before it kills. */
const grantedMs = 10_000;

interface Seen {
  startedAt: number;
  endedAt: number;
  /** 0: the connection was refused or cut. */
  status: number;
}

/** One request on a connection of its own, as from a client that has never been here. */
function look(url: string, authorization = ''): Promise<Seen> {
  const startedAt = performance.now();
  return new Promise((resolve) => {
    const end = (status: number): void => resolve({ startedAt, endedAt: performance.now(), status });
    const asked = request(url, { agent: false, headers: { authorization } }, (answer) => {
      answer
        .resume()
        .on('end', () => end(answer.statusCode!))
        .on('error', () => end(0));
    });
    asked.on('error', () => end(0)).end();
  });
}

/** Asks again and again until told to stop. */
function keepLooking(url: string, everyMs: number, authorization?: string): { seen: Seen[]; stop(): Promise<void> } {
  const seen: Seen[] = [];
  let going = true;
  const loop = (async () => {
    while (going) {
      seen.push(await look(url, authorization));
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  })();
  return { seen, stop: () => ((going = false), loop) };
}

describe('told to end', () => {
  let fleet: Fleet;
  let postgres: Wire;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet(0);
    postgres = await startWire(fleet.database.url);
    await fleet.addBroker();
    await fleet.register('eu');
    key = await fleet.service('reader', 'eu');
  }, 60_000);
  afterAll(async () => {
    await fleet.stop();
    await postgres.close();
  }, 60_000);

  /** Sends SIGTERM; answers with how it ended, and how long it took. */
  const end = async (broker: number) => {
    const at = performance.now();
    const code = await fleet.brokers[broker]!.kill('SIGTERM');
    return { code, tookMs: performance.now() - at, at };
  };
  const add = async (env: Record<string, string> = {}) => {
    await fleet.addBroker(env);
    return fleet.brokers.length - 1;
  };
  /** Registers a client whose provider is asked at once, and stays silent. */
  const renewing = async (name: string) => {
    await fleet.register(name, { verify: false, modes: { latency_ms: 12_000 } });
    await until(
      () => fleet.calls(name),
      ({ calls }) => calls >= 1,
    );
  };

  it('a broker refuses no connection until whoever spreads the load has seen that it is not ready', async () => {
    const broker = await add();
    const { url } = fleet.brokers[broker]!;
    const reading = keepLooking(`${url}/v1/clients/eu/token`, 5, `Bearer ${key}`);
    const probing = keepLooking(`${url}/health/ready`, 700);
    await until(
      async () => probing.seen.length,
      (probes) => probes >= 3,
    );
    const { code, tookMs, at } = await end(broker);
    await Promise.all([reading.stop(), probing.stop()]);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(grantedMs);
    const notReady = probing.seen.find(({ status }) => status === 503);
    expect(notReady).toBeDefined();
    const before = reading.seen.filter(({ startedAt }) => startedAt <= notReady!.endedAt);
    expect(before.filter(({ status }) => status !== 200)).toEqual([]);
    expect(before.filter(({ startedAt }) => startedAt > at).length).toBeGreaterThan(0);
  });

  it('a broker whose readiness nobody asks for does not wait to be asked, and lets what it answers end', async () => {
    const broker = await add();
    const { url } = fleet.brokers[broker]!;
    await look(`${url}/health/ready`); // once, as a person would
    const { code, tookMs } = await end(broker);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(4_000);
  });

  it('a broker ends in order within 10 s in the middle of a renewal, though the provider is silent', async () => {
    const spare = await add();
    await renewing('silent');
    expect(await Promise.all([timed(fleet.brokers[0]!), timed(fleet.brokers[spare]!)])).toEqual([
      { code: 0, inTime: true },
      { code: 0, inTime: true },
    ]);
    fleet.brokers[0] = await fleet.addBroker();
  }, 60_000);

  it('a broker ends in order within 10 s while PostgreSQL hangs', async () => {
    const broker = await add({ DATABASE_URL: postgres.url });
    expect((await fleet.token('eu', key, { broker })).status).toBe(200);
    postgres.hush();
    void look(`${fleet.brokers[broker]!.url}/v1/clients`, `Bearer ${fleet.env['BOOTSTRAP_ADMIN_KEY']}`);
    void look(`${fleet.brokers[broker]!.url}/v1/clients/other/token`, `Bearer ${key}`);
    const { code, tookMs } = await end(broker);
    expect(code).toBe(0);
    expect(tookMs).toBeLessThan(grantedMs);
  });

  it('a second signal ends it at once', async () => {
    await renewing('silent-too');
    const broker = fleet.brokers[0]!;
    const at = performance.now();
    const first = broker.kill('SIGTERM');
    await until(
      async () => broker.output(),
      (output) => output.includes('stopping'),
    );
    await broker.kill('SIGTERM');
    await first;
    expect(performance.now() - at).toBeLessThan(4_000);
  });

  const timed = async (broker: { kill(signal: NodeJS.Signals): Promise<number | null> }) => {
    const at = performance.now();
    const code = await broker.kill('SIGTERM');
    return { code, inTime: performance.now() - at < grantedMs };
  };
});
