import { Cluster, Redis } from 'ioredis';
import type { PrivateRedis } from '../test/harness/redis';
import { type RedisCluster, startRedisCluster } from '../test/harness/redis-cluster';
import { type RedisSentinel, startRedisSentinel } from '../test/harness/redis-sentinel';

/** A row's own kind of Redis, and the same as one that can be started, stopped and named by a URL. */
export interface Topology {
  redis: PrivateRedis;
  sentinel?: RedisSentinel;
  cluster?: RedisCluster;
}

export async function startTopology(kind: 'sentinel' | 'cluster'): Promise<Topology> {
  if (kind === 'sentinel') {
    const sentinel = await startRedisSentinel();
    return { sentinel, redis: asOne(sentinel, [...sentinel.nodes, ...sentinel.sentinels]) };
  }
  const cluster = await startRedisCluster();
  return { cluster, redis: asOne(cluster, cluster.nodes) };
}

function asOne({ url, stop }: { url: string; stop(): Promise<void> }, nodes: PrivateRedis[]): PrivateRedis {
  const each = async (work: (node: PrivateRedis) => Promise<void>): Promise<void> => {
    await Promise.all(nodes.map(work));
  };
  const kill = (signal?: NodeJS.Signals): Promise<void> => each((node) => node.kill(signal));
  return { url, port: NaN, kill, restart: () => each((node) => node.restart()), stop };
}

/** A connection of the harness's own, to whatever the URL names; what Redis suffers is the scene's business. */
export function connectTo(url: string): Redis {
  const [, kind, hosts = '', name = ''] = /^redis(?:\+(\w+))?:\/\/([^/]+)\/?(.*)$/.exec(url)!;
  const nodes = hosts.split(',').map((host) => ({ host: host.split(':')[0]!, port: Number(host.split(':')[1]) }));
  const options = { maxRetriesPerRequest: 0, commandTimeout: 2_000, enableOfflineQueue: false };
  const retryStrategy = (): number => 200;
  const connect = (): Redis | Cluster => {
    if (kind === 'sentinel') {
      const sentinel = { sentinels: nodes, name, sentinelRetryStrategy: retryStrategy };
      return new Redis({
        ...options,
        ...sentinel,
        retryStrategy,
        reconnectOnError: ({ message }) => /READONLY/.test(message),
      });
    }
    if (kind === 'cluster') {
      const { enableOfflineQueue, ...redisOptions } = options;
      return new Cluster(nodes, { redisOptions, enableOfflineQueue, clusterRetryStrategy: retryStrategy });
    }
    return new Redis(url, { ...options, retryStrategy });
  };
  const redis = connect() as Redis;
  redis.on('error', () => undefined);
  return redis;
}
