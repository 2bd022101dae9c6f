import { crc32 } from 'node:zlib';

/** `tb1`: the first version of the shapes below; a later one takes another prefix and both run side by side. */
const prefix = 'tb1:';
export const channel = `${prefix}news`;
export const shardCount = 16;

/** Of one shard; `{s}` is one hash tag, so they are in one slot of a Redis Cluster. */
export interface ShardKeys {
  prefix: string;
  /** ZSET client -> ms at which it is due. */
  due: string;
  /** ZSET client -> ms up to which its token is served. */
  until: string;
  /** The last generation that was given out. */
  generation: string;
}

/**
 * HASH of the client: g generation of the token, v secret version, u and r serve-until by the committer's and by Redis'
 * clock, l servable life, k margin from there to the end of its life, p its fingerprint; m minimum secret version, c last
 * claim, h held until, n not before (on demand), f failures, x refusals, e last failure; and where requests must be some
 * interval apart, a not asked again before, i that interval.
 */
export interface ClientKeys extends ShardKeys {
  client: string;
  /** The sealed token, which expires with it. */
  token: string;
}

export function shardOf(clientId: string): number {
  return crc32(clientId) % shardCount;
}

export function shardKeys(shard: number): ShardKeys {
  const shardPrefix = `${prefix}{${shard}}:`;
  return {
    prefix: shardPrefix,
    due: `${shardPrefix}due`,
    until: `${shardPrefix}until`,
    generation: `${shardPrefix}generation`,
  };
}

export function clientKeys(clientId: string): ClientKeys {
  const keys = shardKeys(shardOf(clientId));
  return { ...keys, client: `${keys.prefix}c:${clientId}`, token: `${keys.prefix}t:${clientId}` };
}

/** LIST ms at which each permit of the last window was taken. A slot of its own: a quota is shared by clients of all shards. */
export function permitsKey(bucket: string): string {
  return `${prefix}{permits:${bucket}}`;
}
