import type { Redis } from 'ioredis';
import type { News } from './token-store';

const pingEveryMs = 3_000;
const longestRestMs = 1_000;

/** What other replicas did, as they tell it: a connection of its own, for one that subscribes can do nothing else. */
export class RedisNews {
  readonly #listeners: ((news: News) => void)[] = [];
  readonly #pings: NodeJS.Timeout;
  #redis: Redis;
  #again: NodeJS.Timeout | undefined;
  #failures = 0;
  #subscribed = false;
  #closed = false;

  /** @param connect makes a connection, which ends for good when it is lost */
  constructor(
    private readonly connect: () => Redis,
    private readonly channel: string,
  ) {
    this.#redis = this.#listen();
    // Nothing else would tell silence from a lack of news: without an answer in 2 s the connection is given up.
    this.#pings = setInterval(() => this.#redis.ping().catch(() => undefined), pingEveryMs).unref();
  }

  on(listener: (news: News) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether news arrives at once. */
  arrives(): boolean {
    return this.#subscribed;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#pings);
    clearTimeout(this.#again);
    this.#redis.disconnect();
  }

  #listen(): Redis {
    const redis = this.connect();
    redis.on('error', () => undefined); // the connection for commands says so
    redis.on('ready', () => void this.#subscribe(redis));
    redis.on('message', (_channel, message) => this.#tell(message));
    redis.on('close', () => {
      this.#subscribed = false;
    });
    redis.on('end', () => {
      this.#subscribed = false;
      if (this.#closed) return;
      this.#again = setTimeout(
        () => {
          this.#redis = this.#listen();
        },
        Math.min(50 * 2 ** this.#failures++, longestRestMs),
      );
    });
    return redis;
  }

  async #subscribe(redis: Redis): Promise<void> {
    try {
      await redis.subscribe(this.channel);
      if (redis.status !== 'ready') return;
      this.#subscribed = true;
      this.#failures = 0;
    } catch {
      redis.disconnect();
    }
  }

  #tell(message: string): void {
    const [kind, clientId, generation] = message.split(' ') as [News['kind'], string, string | undefined];
    for (const listener of this.#listeners) listener({ kind, clientId, ...(generation && { generation }) });
  }
}
