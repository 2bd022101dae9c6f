import { type RunningBroker, startBroker } from '../../../test/harness/broker';
import { createDatabase, type TestDatabase } from '../../../test/harness/database';
import { type PrivateRedis, startRedis } from '../../../test/harness/redis';
import { type Simulator, startSimulator } from '../../simulator/src/simulator';

export interface Answer<T = any> {
  status: number;
  headers: Headers;
  body: T;
}

/** One Redis, Sentinels or a cluster: whatever `REDIS_URL` can name. */
export interface AnyRedis {
  url: string;
  stop(): Promise<void>;
}

/** Real broker processes on a PostgreSQL database and a Redis of their own, and a provider for them to ask. */
export interface Fleet<R extends AnyRedis = PrivateRedis> {
  brokers: RunningBroker[];
  simulator: Simulator;
  database: TestDatabase;
  redis: R;
  env: Record<string, string>;
  /** Calls an admin route of the first broker. */
  admin<T = any>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer<T>>;
  control<T = any>(method: string, path: string, body?: unknown): Promise<T>;
  /**
   * Registers a client that the provider knows.
   * @param more.elsewhere at another name of the provider's host: what befalls the others there is not its business
   */
  register(
    name: string,
    more?: { ttlSeconds?: number; modes?: object; verify?: boolean; labels?: object; elsewhere?: boolean },
  ): Promise<Answer>;
  /** A service that was granted these clients; answers with its key. */
  service(name: string, ...clients: string[]): Promise<string>;
  token(
    client: string,
    key: string,
    options?: { broker?: number; query?: string; headers?: Record<string, string> },
  ): Promise<Answer>;
  calls(
    name: string,
  ): Promise<{ calls: number; issued: number; refused: number; recent_tokens: { issued_at: number }[] }>;
  addBroker(env?: Record<string, string>): Promise<RunningBroker>;
  stop(): Promise<void>;
}

const adminKey = 'an-admin-key-that-an-operator-chose-0001';
const masterKeys = `k1:${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

/**
 * @param more environment of the brokers
 * @param own in place of those that are started here; stopped with the fleet all the same
 */
export function startFleet(
  replicas = 1,
  more: Record<string, string> = {},
  own: { redis?: PrivateRedis; simulator?: Simulator } = {},
): Promise<Fleet> {
  return startFleetOn(own.redis ? Promise.resolve(own.redis) : startRedis(), replicas, more, own.simulator);
}

/** A fleet on the Redis given, which is stopped with it. */
export async function startFleetOn<R extends AnyRedis>(
  starting: Promise<R>,
  replicas = 1,
  more: Record<string, string> = {},
  provider?: Simulator,
): Promise<Fleet<R>> {
  const [database, redis, simulator] = await Promise.all([
    createDatabase(),
    starting,
    provider ?? startSimulator({ port: 0 }),
  ]);
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    MASTER_KEYS: masterKeys,
    BOOTSTRAP_ADMIN_KEY: adminKey,
    ALLOWED_PROVIDER_HOSTS: `${simulator.url},${simulator.url.replace('127.0.0.1', 'localhost')}`,
    LOG_LEVEL: 'debug',
    ...more,
  };
  const brokers = await Promise.all(Array.from({ length: replicas }, () => startBroker({ env })));
  const control = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await ask(`${simulator.url}/_control${path}`, method, body, {});
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as T;
  };
  const admin: Fleet['admin'] = (method, path, body, headers = {}) =>
    ask(`${brokers[0]!.url}${path}`, method, body, { authorization: `Bearer ${adminKey}`, ...headers });
  const must = async (answer: Promise<Answer>): Promise<Answer> => {
    const { status, body } = await answer;
    if (status >= 300) throw new Error(JSON.stringify(body));
    return answer;
  };
  return {
    ...{ brokers, simulator, database, redis, env, admin, control },
    register: async (name, { ttlSeconds = 300, modes, verify = true, labels, elsewhere } = {}) => {
      await control('PUT', `/clients/key-of-${name}`, {
        ...{ secret: `secret-of-${name}`, ttl_seconds: ttlSeconds },
        ...(modes && { modes }),
      });
      const base_url = elsewhere ? simulator.url.replace('127.0.0.1', 'localhost') : simulator.url;
      const inputs = { base_url, key: `key-of-${name}`, secret: `secret-of-${name}` };
      const body = { name, provider: 'capillary', inputs, ...(labels && { labels }) };
      return admin('POST', `/v1/clients?verify=${verify}`, body);
    },
    service: async (name, ...clients) => {
      await must(admin('POST', '/v1/services', { name }));
      for (const client of clients) await must(admin('POST', '/v1/grants', { service: name, client }));
      return (await must(admin('POST', `/v1/services/${name}/keys`, {}))).body.key;
    },
    token: (client, key, { broker = 0, query = '', headers = {} } = {}) =>
      ask(`${brokers[broker]!.url}/v1/clients/${client}/token${query}`, 'GET', undefined, {
        authorization: `Bearer ${key}`,
        ...headers,
      }),
    calls: (name) => control('GET', `/clients/key-of-${name}`),
    addBroker: async (extra = {}) => {
      const broker = await startBroker({ env: { ...env, ...extra } });
      brokers.push(broker);
      return broker;
    },
    stop: async () => {
      await Promise.all(brokers.map((broker) => broker.stop()));
      await Promise.all([simulator.close(), redis.stop()]);
      await database.drop();
    },
  };
}

/** One request; the body of the answer parsed where it is JSON. */
export async function ask(
  url: string,
  method: string,
  body: unknown,
  headers: Record<string, string>,
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get('content-type')?.includes('json') && text !== '';
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : text };
}

/** Asks again until the answer is the one that is waited for; fails with the last answer when it does not come. */
export async function until<T>(look: () => Promise<T>, wanted: (answer: T) => boolean, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await look();
    if (wanted(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms; the last answer: ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
