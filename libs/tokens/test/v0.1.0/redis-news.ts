import { Redis } from 'ioredis';
import type { News } from './token-store';

const pingEveryMs = 3_000;

/** What other replicas did, as they tell it: a connection of its own, for one that subscribes can do nothing else. */
export class RedisNews {
  readonly #redis: Redis;
  readonly #pings: NodeJS.Timeout;
  #subscribed = false;

  constructor(
    url: string,
    private readonly channel: string,
  ) {
    this.#redis = new Redis(url, {
      retryStrategy: (times) => Math.min(50 * 2 ** times, 1_000),
      autoResubscribe: false,
      enableOfflineQueue: false,
      socketTimeout: 2_000,
    });
    this.#redis.on('error', () => undefined); // the connection for commands says so
    // At each connection: ioredis repeats only a subscription that once succeeded, and gives the first up after 20 tries.
    this.#redis.on('ready', () => this.#subscribe());
    this.#redis.on('close', () => {
      this.#subscribed = false;
    });
    // Nothing else would tell silence from a lack of news: without an answer in 2 s the connection is given up.
    this.#pings = setInterval(() => this.#redis.ping().catch(() => undefined), pingEveryMs).unref();
  }

  on(listener: (news: News) => void): void {
    this.#redis.on('message', (_channel, message) => {
      const [kind, clientId, generation] = message.split(' ') as [News['kind'], string, string | undefined];
      listener({ kind, clientId, ...(generation && { generation }) });
    });
  }

  /** Whether news arrives at once. */
  arrives(): boolean {
    return this.#subscribed;
  }

  close(): void {
    clearInterval(this.#pings);
    this.#redis.disconnect();
  }

  #subscribe(): void {
    this.#redis.subscribe(this.channel).then(
      () => {
        this.#subscribed = true;
      },
      () => this.#redis.disconnect(true),
    );
  }
}
