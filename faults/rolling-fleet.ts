import { Agent, request } from 'undici';
import { ask } from '../apps/broker/test/fleet';
import { startSimulator } from '../apps/simulator/src/simulator';
import { type RunningBroker, startBroker } from '../test/harness/broker';
import { createDatabase } from '../test/harness/database';
import { startRedis } from '../test/harness/redis';

export const lifeSeconds = 10;
const adminKey = 'an-admin-key-that-an-operator-chose-0001';
const masterKeys = `k1:${Buffer.from('0123456789abcdef0123456789abcdef').toString('base64')}`;

export interface Read {
  at: number;
  client: string;
  /** Whose answer it was. */
  broker: number;
  status: number;
  generation: number;
  token?: string;
  body?: unknown;
}

export interface Replica {
  index: number;
  version: string;
  running: RunningBroker;
  /** It is sent requests: it said that it is ready when it was asked last. */
  inRotation: boolean;
  ended: boolean;
}

/** Brokers of two versions behind a balancer that goes by readiness, and asks another one when a connection is refused. */
export async function startRollingFleet() {
  const [database, redis, simulator] = await Promise.all([
    createDatabase({ migrated: false }),
    startRedis(),
    startSimulator({ port: 0 }),
  ]);
  const env = {
    DATABASE_URL: database.url,
    REDIS_URL: redis.url,
    MASTER_KEYS: masterKeys,
    BOOTSTRAP_ADMIN_KEY: adminKey,
    ALLOWED_PROVIDER_HOSTS: simulator.url,
  };
  const agent = new Agent({ headersTimeout: 5_000, connectTimeout: 2_000 });
  const replicas: Replica[] = [];
  const reads: Read[] = [];
  const retries: { at: number; version: string }[] = [];
  let going = true;
  const loops: Promise<void>[] = [];
  let key = '';

  const live = (): Replica[] => replicas.filter(({ ended }) => !ended);
  const admin = async (method: string, path: string, body?: unknown) => {
    const answer = await ask(`${live()[0]!.running.url}${path}`, method, body, { authorization: `Bearer ${adminKey}` });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const control = async (method: string, path: string, body?: unknown) =>
    (await ask(`${simulator.url}/_control${path}`, method, body, {})).body;

  async function askOne(replica: Replica, client: string): Promise<Read> {
    const { statusCode, headers, body } = await request(`${replica.running.url}/v1/clients/${client}/token`, {
      dispatcher: agent,
      headers: { authorization: `Bearer ${key}` },
    });
    const told = (await body.json()) as { access_token?: string };
    const generation = Number(String(headers.etag).slice(1, -1));
    const seen = { at: Date.now(), client, broker: replica.index, status: statusCode, generation };
    return statusCode === 200 ? { ...seen, token: told.access_token! } : { ...seen, body: told };
  }

  /** One request, as it comes out of the balancer. */
  async function read(client: string, turn: number): Promise<void> {
    const rotation = replicas.filter(({ inRotation, ended }) => inRotation && !ended);
    for (let i = 0; i < rotation.length; i++) {
      const replica = rotation[(turn + i) % rotation.length]!;
      try {
        return void reads.push(await askOne(replica, client));
      } catch {
        retries.push({ at: Date.now(), version: replica.version });
      }
    }
    reads.push({ at: Date.now(), client, broker: -1, status: 0, generation: NaN });
  }

  return {
    ...{ replicas, reads, retries, control, admin, live },
    async add(version: string, script?: string): Promise<Replica> {
      const running = await startBroker({ env, ...(script && { script }) });
      const replica = { index: replicas.length, version, running, inRotation: true, ended: false };
      replicas.push(replica);
      return replica;
    },
    /** Ends it with SIGTERM; answers with its exit code. */
    async end(replica: Replica): Promise<number | null> {
      const code = await replica.running.kill('SIGTERM');
      replica.ended = true;
      return code;
    },
    async addClients(names: string[]): Promise<void> {
      for (const name of names) {
        await control('PUT', `/clients/key-of-${name}`, { secret: 's', ttl_seconds: lifeSeconds });
        const inputs = { base_url: simulator.url, key: `key-of-${name}`, secret: 's' };
        await admin('POST', '/v1/clients', { name, provider: 'capillary', inputs, labels: { read: 'yes' } });
      }
      if (key) return;
      await admin('POST', '/v1/services', { name: 'reader' });
      await admin('POST', '/v1/grants', { service: 'reader', label: 'read=yes' });
      key = (await admin('POST', '/v1/services/reader/keys', {})).key;
    },
    /** Readers of every client and the balancer's probes, until stopped. */
    begin(clients: string[]): void {
      const loop = async (work: (turn: number) => Promise<void>, pauseMs: number): Promise<void> => {
        for (let turn = 0; going; turn++) {
          await work(turn);
          await new Promise((resolve) => setTimeout(resolve, pauseMs));
        }
      };
      const probe = async (replica: Replica): Promise<void> => {
        const { status } = await ask(`${replica.running.url}/health/ready`, 'GET', undefined, {});
        replica.inRotation = status === 200;
      };
      loops.push(...clients.map((client) => loop((turn) => read(client, turn), 25)));
      const probeAll = () => Promise.all(live().map((replica) => probe(replica).catch(() => undefined)));
      loops.push(loop(async () => void (await probeAll()), 250));
    },
    async rest(): Promise<void> {
      going = false;
      await Promise.all(loops);
    },
    async stop(): Promise<void> {
      await Promise.all(live().map(({ running }) => running.stop()));
      await Promise.all([agent.destroy(), simulator.close(), redis.stop()]);
      await database.drop();
    },
  };
}
