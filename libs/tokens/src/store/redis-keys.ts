import { crc32 } from 'node:zlib';

/**
 * `tb1`: the version of the shapes below. Replicas of two versions work on the same keys during an update, each with its own
 * scripts, so under one prefix a shape may gain keys and fields, which the older version neither reads nor writes nor
 * misses; what a key or field means may not change, nor may one go that the older version needs. Whatever needs that
 * takes another prefix: both run side by side then, each client renewed by both, until the older one is gone.
 */
const prefix = 'tb1:';
export const channel = `${prefix}news`;
export const shardCount = 16;

/** Of one shard; `{s}` is one hash tag, so they are in one slot of a Redis Cluster. */
export interface ShardKeys {
  prefix: string;
  /** ZSET client -> ms at which it is due. */
  due: string;
  /**
   * ZSET client -> ms up to which its token is served, 0 without one; of those in trouble alone: the last attempt failed,
   * or was held back.
   */
  trouble: string;
  /** There while every client is in the queue: gone, it says that this shard was lost. */
  epoch: string;
  /** ZSET that 0.1.0 kept, client -> ms up to which its token is served, and read for one view. Deleted now and then. */
  until: string;
  /** The last generation that was given out. */
  generation: string;
  /**
   * HASH client -> a secret version that its own hash has, or a higher one: what many clients have is looked up here at once.
   * 0.1.0 neither reads nor writes it.
   */
  known: string;
}

/**
 * HASH of the client: g generation of the token, v secret version, u and r serve-until by the committer's and by Redis'
 * clock, l servable life, k margin from there to the end of its life, p its fingerprint; m minimum secret version, c last
 * claim, h held until, n not before (on demand), f failures, x refusals, e last failure; and where requests must be some
 * interval apart, a not asked again before, i that interval. History: y the last ten attempts that went well, y0 to y4
 * ten each before them, j which of these is written next, w when the last one was, q the provider's id of its request.
 * Of a token that the provider no longer takes: z its generation, b when the renewal was claimed that it led to.
 */
class ClientKeys {
  readonly #shard: ShardKeys;

  // Made as they are asked for: most callers want one or two, at every read of a token.
  constructor(private readonly clientId: string) {
    this.#shard = shardKeys(shardOf(clientId));
  }

  get client(): string {
    return `${this.#shard.prefix}c:${this.clientId}`;
  }

  /** The sealed token, which expires with it. */
  get token(): string {
    return `${this.#shard.prefix}t:${this.clientId}`;
  }

  /** LIST of the attempts that failed, JSON, newest first; expires a week after the last. */
  get failed(): string {
    return `${this.#shard.prefix}f:${this.clientId}`;
  }

  get due(): string {
    return this.#shard.due;
  }

  get trouble(): string {
    return this.#shard.trouble;
  }

  get generation(): string {
    return this.#shard.generation;
  }

  get known(): string {
    return this.#shard.known;
  }
}

export function clientKeys(clientId: string): ClientKeys {
  return new ClientKeys(clientId);
}

export function shardOf(clientId: string): number {
  return crc32(clientId) % shardCount;
}

export function shardKeys(shard: number): ShardKeys {
  return shards[shard]!;
}

const shards = Array.from({ length: shardCount }, (_, shard): ShardKeys => {
  const shardPrefix = `${prefix}{${shard}}:`;
  return {
    prefix: shardPrefix,
    due: `${shardPrefix}due`,
    trouble: `${shardPrefix}trouble`,
    epoch: `${shardPrefix}epoch`,
    until: `${shardPrefix}until`,
    generation: `${shardPrefix}generation`,
    known: `${shardPrefix}known`,
  };
});

/** LIST ms at which each permit of the last window was taken. A slot of its own: a quota is shared by clients of all shards. */
export function permitsKey(bucket: string): string {
  return `${prefix}{permits:${bucket}}`;
}

/** What belongs to clients, by the shard that they are in. */
export function byShard<T>(all: T[], clientIdOf: (one: T) => string): Map<number, T[]> {
  const found = new Map<number, T[]>();
  for (const one of all) {
    const shard = shardOf(clientIdOf(one));
    const ofShard = found.get(shard);
    if (ofShard) ofShard.push(one);
    else found.set(shard, [one]);
  }
  return found;
}
