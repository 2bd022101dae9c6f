import { startRedis } from '../test/harness/redis';
import type { Fault } from './record';
import type { Rig, SceneBroker } from './rig';

const leaseMs = 15_500;
/** A request that is not answered. */
const requestMs = 8_000;

/** The longest pause of a backoff that doubles, each of its pauses drawn from the upper three quarters. */
const backoffMs = ({ from, to = from }: Fault): number => Math.min(4 * (to - from) + 2_000, 300_000);

/** What is injected, done and noted in one: with whom it touches, and what it may cost by what renewals promise. */
export class Inject {
  constructor(private readonly scene: Rig) {}

  /** Notes a fault from now on; a row may add to what it explains. `end` notes its end. */
  begin(what: string, fault: Partial<Fault> = {}): Fault {
    const none = { clients: 'all', brokers: [], extraCalls: 0, delaysMs: 0, breaks: [], hindersQueue: false } as const;
    const begun: Fault = { from: Date.now(), what, ...none, ...fault };
    this.scene.record.faults.push(begun);
    return begun;
  }

  end(fault: Fault): void {
    fault.to = Date.now();
  }

  /** A fault that is over at once, and leaves its mark. */
  once(what: string, fault: Partial<Fault> = {}): Fault {
    const begun = this.begin(what, fault);
    this.end(begun);
    return begun;
  }

  // Brokers

  async kill(broker: SceneBroker): Promise<void> {
    const died = this.begin(`kill -9 of broker ${broker.index}`, {
      ...{ brokers: [broker.index], extraCalls: 1, delaysMs: leaseMs },
    });
    this.scene.record.brokers[broker.index]!.endedAt = Date.now();
    await broker.running.kill('SIGKILL');
    this.end(died);
  }

  /** SIGTERM, and its end; answers with its exit code. */
  async terminate(broker: SceneBroker): Promise<number | null> {
    const left = this.begin(`SIGTERM of broker ${broker.index}`, { brokers: [broker.index] });
    this.scene.record.brokers[broker.index]!.endedAt = Date.now();
    const code = await broker.running.kill('SIGTERM');
    this.end(left);
    return code;
  }

  async freeze(broker: SceneBroker): Promise<Fault> {
    const frozen = this.begin(`SIGSTOP of broker ${broker.index}`, {
      ...{ brokers: [broker.index], extraCalls: 1, delaysMs: leaseMs },
    });
    broker.frozen = true;
    await broker.running.kill('SIGSTOP');
    return frozen;
  }

  async thaw(broker: SceneBroker, frozen: Fault): Promise<void> {
    await broker.running.kill('SIGCONT');
    broker.frozen = false;
    this.end(frozen);
  }

  /** Blocks the event loop of a `controlled` broker for so long; returns when it has begun. */
  async block(broker: SceneBroker, blockMs: number): Promise<Fault> {
    const blocked = this.begin(`event loop of broker ${broker.index} blocked`, {
      ...{ brokers: [broker.index], extraCalls: 1, delaysMs: leaseMs },
    });
    await this.control(broker).tell(broker.running.pid, { blockMs });
    blocked.to = Date.now() + blockMs;
    return blocked;
  }

  /** Moves the wall clock of a `controlled` broker. What it told before, and whose claims it takes for dead, is another matter. */
  async shiftClock(broker: SceneBroker, shiftMs: number): Promise<Fault> {
    const shifted = this.begin(`clock of broker ${broker.index} moved by ${shiftMs / 1_000} s`, {
      ...{ brokers: [broker.index], breaks: ['promises'] as const, extraCalls: Infinity },
    });
    await this.control(broker).tell(broker.running.pid, { shiftMs });
    return shifted;
  }

  async endShift(broker: SceneBroker, shifted: Fault): Promise<void> {
    await this.control(broker).tell(broker.running.pid, {});
    this.end(shifted);
    shifted.delaysMs = leaseMs;
  }

  /** So that what stands still can be ended. */
  async thawAll(): Promise<void> {
    const ended = (index: number): boolean => this.scene.record.brokers[index]!.endedAt !== undefined;
    await Promise.all(
      this.scene.brokers.filter(({ index }) => !ended(index)).map(({ running }) => running.kill('SIGCONT')),
    );
    await this.scene.redis.kill('SIGCONT');
  }

  // Redis

  async flushRedis(): Promise<Fault> {
    await this.scene.queue.redis.flushall();
    return this.once('FLUSHALL', { extraCalls: 1, delaysMs: 60_000 + leaseMs, breaks: ['quotas'] });
  }

  async flushScripts(): Promise<void> {
    await this.scene.queue.redis.script('FLUSH');
    this.once('SCRIPT FLUSH');
  }

  async killRedis(): Promise<Fault> {
    const gone = this.#redisAway('Redis killed', ['quotas']);
    await this.scene.redis.kill('SIGKILL');
    return gone;
  }

  /** On the same port, with nothing in it. */
  async restartRedis(gone: Fault): Promise<void> {
    this.scene.redis = await startRedis(this.scene.fleet.redis.port);
    this.#redisBack(gone);
  }

  async freezeRedis(): Promise<Fault> {
    const gone = this.#redisAway('SIGSTOP of Redis');
    await this.scene.redis.kill('SIGSTOP');
    return gone;
  }

  async thawRedis(gone: Fault): Promise<void> {
    await this.scene.redis.kill('SIGCONT');
    this.#redisBack(gone);
  }

  /** Of one broker, with a wire; `mendRedis` ends it. After `hush` new connections work. */
  cutRedis(broker: SceneBroker, how: 'cut' | 'hold' | 'hush' | 'delay'): Fault {
    const cut = this.begin(`connection of broker ${broker.index} to Redis ${how}`, {
      ...{ extraCalls: 1, delaysMs: leaseMs },
    });
    broker.redis![how]();
    return cut;
  }

  mendRedis(broker: SceneBroker, cut: Fault): void {
    broker.redis!.mend();
    this.end(cut);
    this.#mintedAlone(cut, 1);
  }

  // PostgreSQL

  /** For every broker that is there now, each with a wire. */
  cutPostgres(): Fault {
    const cut = this.begin('PostgreSQL cut off', { extraCalls: 1 });
    for (const { postgres } of this.scene.brokers) postgres?.cut();
    return cut;
  }

  mendPostgres(cut: Fault): void {
    for (const { postgres } of this.scene.brokers) postgres?.mend();
    this.end(cut);
    // Whoever claimed a client that he did not know had to put it off.
    cut.delaysMs = backoffMs(cut);
  }

  // The provider, and what admins do

  /** Modes of the simulator, for these clients or for all, in place of those that were on. `endModes` takes them away. */
  async modes(clients: string[] | 'all', modes: object): Promise<Fault> {
    const misbehaves = this.begin(`provider: ${JSON.stringify(modes)}`, { clients, extraCalls: 1 });
    await this.#setModes(clients, modes);
    return misbehaves;
  }

  async endModes(misbehaves: Fault): Promise<void> {
    await this.#setModes(misbehaves.clients, {});
    this.end(misbehaves);
    misbehaves.delaysMs = backoffMs(misbehaves) + requestMs;
  }

  /** At the provider and then, tried first, at the broker. */
  async rotate(name: string): Promise<void> {
    const client = this.scene.client(name);
    const rotated = this.begin(`secret of ${name} rotated`, { clients: [name], extraCalls: 1, delaysMs: 2_000 });
    const secret = `secret-${client.rotations.length + 2}-of-${name}`;
    const rotation: (typeof client.rotations)[number] = { provider: Date.now() };
    client.rotations.push(rotation);
    await this.scene.fleet.control('PUT', `/clients/${client.key}`, { secret });
    const inputs = { base_url: this.scene.fleet.simulator.url, key: client.key, secret };
    await this.scene.mustAdmin('PATCH', `/v1/clients/${name}`, { inputs }, { 'if-match': '*' });
    rotation.answered = Date.now();
    this.end(rotated);
  }

  async remove(name: string): Promise<void> {
    this.scene.client(name).inactive.push({ from: Date.now() });
    await this.scene.mustAdmin('DELETE', `/v1/clients/${name}`);
  }

  async disable(name: string): Promise<void> {
    this.scene.client(name).inactive.push({ from: Date.now() });
    await this.scene.mustAdmin('POST', `/v1/clients/${name}/disable`);
  }

  async enable(name: string): Promise<void> {
    const enabled = this.begin(`${name} enabled`, { clients: [name], extraCalls: 1 });
    await this.scene.mustAdmin('POST', `/v1/clients/${name}/enable`);
    this.scene.client(name).inactive.at(-1)!.to = Date.now();
    this.end(enabled);
  }

  #redisAway(what: string, breaks: Fault['breaks'] = []): Fault {
    return this.begin(what, { extraCalls: 1, delaysMs: 60_000 + leaseMs, hindersQueue: true, breaks });
  }

  #redisBack(gone: Fault): void {
    this.end(gone);
    this.#mintedAlone(gone, this.scene.record.brokers.length);
  }

  /** While these were without Redis, each of them asked for itself for what its readers needed. */
  #mintedAlone(gone: Fault, processes: number): void {
    const shortest = Math.min(...this.scene.record.clients.map(({ lifeSeconds }) => lifeSeconds * 1_000));
    gone.extraCalls += processes * Math.ceil((gone.to! - gone.from) / (0.6 * shortest));
  }

  async #setModes(clients: Fault['clients'], modes: object): Promise<void> {
    const { control } = this.scene.fleet;
    // Signing tokens would take the machine's time: see scene.ts.
    if (clients === 'all') return void (await control('PUT', '/modes', { cheap_tokens: true, ...modes }));
    await Promise.all(clients.map((name) => control('PUT', `/clients/${this.scene.client(name).key}/modes`, modes)));
  }

  private control(broker: SceneBroker): NonNullable<SceneBroker['control']> {
    if (!broker.control) throw new Error(`broker ${broker.index} has to be started with \`controlled: true\``);
    return broker.control;
  }
}
