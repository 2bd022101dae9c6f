import { setTimeout as delay } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { Record } from './record';
import { connectTo } from './redis-topologies';

const everyMs = 500;
const shards = Array.from({ length: 16 }, (_, shard) => shard);

/** Looks into the queue over a connection of its own, and notes which active clients are missing from it, and how long. */
export class QueueWatch {
  readonly redis: Redis;
  readonly #missing = new Map<string, Record['absences'][number]>();
  #stopped = false;
  #ended: Promise<void> | undefined;

  constructor(
    url: string,
    private readonly record: Record,
  ) {
    this.redis = connectTo(url);
  }

  start(): void {
    this.#ended ??= this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#ended;
    this.redis.disconnect();
  }

  /** Ids of the clients in the queue. */
  async queued(): Promise<Set<string>> {
    // Not in one pipeline: in a cluster they are on several nodes.
    const ids = await Promise.all(shards.map((shard) => this.redis.zrange(`tb1:{${shard}}:due`, '0', '-1')));
    return new Set(ids.flat());
  }

  /** Active clients that are not in the queue now. */
  async absent(): Promise<string[]> {
    const queued = await this.queued();
    return this.#active().flatMap(({ id, name }) => (queued.has(id) ? [] : [name]));
  }

  #active(): Record['clients'] {
    return this.record.clients.filter(({ inactive }) => inactive.every(({ to }) => to !== undefined));
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#look().catch(() => undefined); // Redis is away: nothing was seen
      await delay(everyMs);
    }
  }

  async #look(): Promise<void> {
    const from = Date.now();
    const absent = new Set(await this.absent());
    const to = Date.now();
    for (const [client, absence] of this.#missing) {
      if (absent.has(client)) continue;
      absence.to = to;
      this.#missing.delete(client);
    }
    for (const client of absent) {
      if (this.#missing.has(client)) continue;
      const absence = { client, from };
      this.#missing.set(client, absence);
      this.record.absences.push(absence);
    }
  }
}
