import { setTimeout as delay } from 'node:timers/promises';
import { type Answer as HttpAnswer, ask, type Fleet, until } from '../apps/broker/test/fleet';
import type { RunningBroker } from '../test/harness/broker';
import { runSql } from '../test/harness/database';
import type { PrivateRedis } from '../test/harness/redis';
import { startWire, type Wire } from '../test/harness/wire';
import { BrokerControl } from './broker-control';
import { ownDefinition } from './definition';
import { QueueWatch } from './queue-watch';
import { Reader } from './reader';
import { type ClientLife, emptyRecord, type Record } from './record';
import type { RedisWithClock } from './redis-clock';
import type { Topology } from './redis-topologies';
import { watchStalls } from './stall-watch';

export interface BrokerOptions {
  env?: { [name: string]: string };
  /** It reaches these over wires of its own, which can be cut, hushed and held. */
  wires?: ('redis' | 'postgres')[];
  /** Its clock can be moved and its event loop blocked. */
  controlled?: true;
}

export interface ClientOptions {
  lifeSeconds?: number;
  /** Of the simulator, from the start. */
  modes?: object;
  /** false: the broker gets its first token soon after, not within the call that registers it. */
  verify?: boolean;
  /** A definition made with `define`. */
  provider?: string;
  /** Where the broker asks for its tokens, when that is a wire to the simulator. */
  baseUrl?: string;
  untruthful?: true;
}

export interface SceneBroker {
  index: number;
  running: RunningBroker;
  redis?: Wire;
  postgres?: Wire;
  control?: BrokerControl;
  /** SIGSTOP, or a blocked event loop: asks for nothing now. */
  frozen: boolean;
}

/** Real processes, and a record of all that happens on them. */
export class Rig {
  readonly record: Record = emptyRecord();
  readonly brokers: SceneBroker[] = [];
  readonly reader: Reader;
  readonly queue: QueueWatch;
  /** Changes when a row restarts it. */
  redis: PrivateRedis;
  readonly #unwatch = watchStalls(this.record);
  #key = '';
  #begun = 0;
  #ready: Promise<void> | undefined;
  readonly #wires: Wire[] = [];
  readonly #quotas = new Map<string, NonNullable<ClientLife['quota']>>();

  constructor(
    readonly fleet: Fleet,
    private readonly clock?: RedisWithClock,
    private readonly topology?: Topology,
  ) {
    this.redis = fleet.redis;
    this.queue = new QueueWatch(fleet.redis.url, this.record);
    const urlOf = (index: number): string => this.brokers[index]!.running.url;
    this.reader = new Reader(this.record, urlOf, () => this.#key);
  }

  get redisClock(): RedisWithClock {
    if (!this.clock) throw new Error('this row has to ask for `rig: { redisClock: true }`');
    return this.clock;
  }

  get sentinel(): NonNullable<Topology['sentinel']> {
    if (!this.topology?.sentinel) throw new Error("this row has to ask for `rig: { redis: 'sentinel' }`");
    return this.topology.sentinel;
  }

  get cluster(): NonNullable<Topology['cluster']> {
    if (!this.topology?.cluster) throw new Error("this row has to ask for `rig: { redis: 'cluster' }`");
    return this.topology.cluster;
  }

  async addBroker({ env = {}, wires = [], controlled }: BrokerOptions = {}): Promise<SceneBroker> {
    const control = controlled && new BrokerControl();
    const index = this.#begun++;
    const wire = async (name: 'redis' | 'postgres', url: string): Promise<Wire | undefined> =>
      wires.includes(name) ? this.wire(url) : undefined;
    const redis = await wire('redis', this.redis.url);
    const postgres = await wire('postgres', this.fleet.database.url);
    const startedAt = Date.now();
    const running = await this.fleet.addBroker({
      ...(redis && { REDIS_URL: redis.url }),
      ...(postgres && { DATABASE_URL: postgres.url }),
      ...control?.env,
      ...env,
    });
    const parts = { ...(redis && { redis }), ...(postgres && { postgres }), ...(control && { control }) };
    const broker = { index, running, frozen: false, ...parts };
    this.brokers[index] = broker;
    this.record.brokers[index] = { pid: running.pid, startedAt, output: '' };
    this.#ready ??= this.#makeKey().then(() => this.queue.start());
    await this.#ready;
    return broker;
  }

  async addBrokers(count: number, options: BrokerOptions = {}): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.addBroker(options)));
  }

  /** A wire to anything, closed with the scene. */
  async wire(url: string): Promise<Wire> {
    const wire = await startWire(url);
    this.#wires.push(wire);
    return wire;
  }

  /** A wire to the provider, for the `baseUrl` of a client; brokers must be started after it. */
  async providerWire(): Promise<{ wire: Wire; baseUrl: string }> {
    const { url } = this.fleet.simulator;
    const wire = await this.wire(url);
    const baseUrl = new URL(wire.url).origin;
    this.fleet.env['ALLOWED_PROVIDER_HOSTS'] += `,${baseUrl}`;
    return { wire, baseUrl };
  }

  /** Brokers that can be asked now. */
  live(): SceneBroker[] {
    return this.brokers.filter(({ frozen, index }) => !frozen && this.record.brokers[index]!.endedAt === undefined);
  }

  /** Calls an admin route of a broker that can be asked. */
  async admin(
    method: string,
    path: string,
    body?: unknown,
    headers: { [name: string]: string } = {},
  ): Promise<HttpAnswer> {
    const broker = this.live()[0];
    if (!broker) throw new Error('there is no broker to ask');
    const authorization = `Bearer ${this.fleet.env['BOOTSTRAP_ADMIN_KEY']}`;
    return ask(`${broker.running.url}${path}`, method, body, { authorization, ...headers });
  }

  /** The same, and anything but 2xx is an error. */
  async mustAdmin(method: string, path: string, body?: unknown, headers = {}): Promise<HttpAnswer> {
    const attempt = () => this.admin(method, path, body, headers);
    let answer = await attempt();
    // A trial at the provider takes its turn in the quota: an admin repeats it when he is told to.
    for (let tries = 0; answer.body?.code === 'throttled' && tries < 30; tries++) {
      await delay(Number(answer.headers.get('retry-after') ?? 1) * 1_000);
      answer = await attempt();
    }
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer;
  }

  /** A provider definition of one's own, that the simulator fits, with these ways of renewal. */
  async define(
    id: string,
    renew: { quota?: { requests: number; per_s: number }; [way: string]: unknown },
  ): Promise<void> {
    await this.mustAdmin('POST', '/v1/providers', { definition: ownDefinition(id, renew) });
    if (renew.quota)
      this.#quotas.set(id, { name: id, requests: renew.quota.requests, windowSeconds: renew.quota.per_s });
  }

  /** Registers a client with the simulator and with the broker; every reader may fetch its token. */
  async addClient(name: string, options: ClientOptions = {}): Promise<ClientLife> {
    const { lifeSeconds = 6, modes, verify = true, provider = 'capillary', baseUrl, untruthful = false } = options;
    const [key, secret] = [`key-of-${name}`, `secret-of-${name}`];
    await this.fleet.control('PUT', `/clients/${key}`, { secret, ttl_seconds: lifeSeconds, ...(modes && { modes }) });
    const inputs = { base_url: baseUrl ?? this.fleet.simulator.url, key, secret };
    const body = { name, provider, inputs, labels: { read: 'yes' } };
    await this.mustAdmin('POST', `/v1/clients?verify=${verify}`, body);
    const [{ id }] = await runSql(this.fleet.database.url, `SELECT id FROM clients WHERE name = '${name}'`);
    const quota = this.#quotas.get(provider);
    const life: ClientLife = {
      ...{ name, id, key, lifeSeconds, untruthful, ...(quota && { quota }) },
      ...{ registeredAt: Date.now(), inactive: [], rotations: [], calls: [], issued: [] },
    };
    this.record.clients.push(life);
    return life;
  }

  client(name: string): ClientLife {
    return this.record.clients.find((client) => client.name === name)!;
  }

  /** What the provider has seen of a client up to now. */
  async calls(name: string): Promise<ClientLife['calls']> {
    return (await this.fleet.control('GET', `/clients/${this.client(name).key}`)).recent_calls;
  }

  note(text: string): void {
    this.record.notes.push({ at: Date.now(), text });
  }

  /** Looks until what is seen is wanted; the deadline is for a scene that went wrong, and generous. */
  async until<T>(
    what: string,
    look: () => Promise<T> | T,
    wanted: (seen: T) => boolean,
    withinMs = 30_000,
  ): Promise<T> {
    try {
      return await until(async () => look(), wanted, withinMs);
    } catch (error) {
      throw new Error(`${what}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** The time that a row lets pass under load: nothing is waited for but the time itself. */
  async pass(ms: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Ends the load and completes the record with what provider and brokers know. */
  async finish(): Promise<Record> {
    await this.reader.stop();
    await this.queue.stop();
    this.#unwatch();
    const { record } = this;
    record.endedAt = Date.now();
    for (const client of record.clients) {
      const told = await this.fleet.control('GET', `/clients/${client.key}`);
      client.calls = told.recent_calls;
      client.issued = told.recent_tokens;
    }
    for (const token of record.tokens) {
      const fate = await this.fleet.control('POST', '/tokens/inspect', { token: token.value });
      token.issuedAt = fate.issued_at;
      token.expiresAt = fate.expires_at;
      token.supersededAt = fate.superseded_at;
      token.revokedAt = fate.revoked_at;
      token.rotations = fate.rotations;
    }
    for (const { index, running } of this.brokers) record.brokers[index]!.output = running.output();
    return record;
  }

  async stop(): Promise<void> {
    await this.reader.stop();
    await this.queue.stop();
    if (this.redis !== this.fleet.redis) await this.redis.stop();
    await this.fleet.stop();
    await Promise.all(this.#wires.map((wire) => wire.close()));
    for (const { control } of this.brokers) control?.remove();
  }

  async #makeKey(): Promise<void> {
    await this.mustAdmin('POST', '/v1/services', { name: 'reader' });
    await this.mustAdmin('POST', '/v1/grants', { service: 'reader', label: 'read=yes' });
    this.#key = (await this.mustAdmin('POST', '/v1/services/reader/keys', {})).body.key;
  }
}
