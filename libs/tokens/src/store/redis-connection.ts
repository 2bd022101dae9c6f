import { Cluster, type Command, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisAddress, type RedisLogin } from './redis-address';

/** Redis that does not answer must not keep a caller waiting: it has a token in its cache, or gets a 503. */
const commandTimeoutMs = 800;
/** A cluster that is finding its new master is asked again in between. */
const askAgainMs = 200;
const ended = 'end';
const soonAgainMs = (times: number): number => Math.min(50 * 2 ** times, 1_000);

type Options = Omit<RedisOptions, 'replyMapping'>;

/** Nothing is queued while there is no connection, nothing repeated: who asked is told at once. */
const impatient = {
  connectTimeout: 2_000,
  socketTimeout: 2_000, // a connection that died in silence is given up, not waited for
  disconnectTimeout: 200,
  enableOfflineQueue: false,
  autoResubscribe: false,
};

export interface RedisConnection {
  /** For everything but listening. */
  commands: Redis | Cluster;
  /** Does not wait for the end of the turn with what is to go out together: somebody waits for it. */
  sendNow(): void;
  /** Whether the keys of a command must be in one slot. */
  isCluster: boolean;
  /** A connection to listen on, which is not made again when it ends. In a cluster to any node: each has all the news. */
  listen(): Redis;
  /** Whether these keys, strings, may be written, on whatever nodes they are. Rejects with what Redis says against it. */
  serves(keys: string[]): Promise<void>;
  /** What its nodes do when their memory is full, as far as they tell. */
  evictionPolicies(): Promise<string[]>;
  close(): Promise<void>;
}

/**
 * @param onRefused hears every answer that is an error
 * @throws InvalidRedisUrl
 */
export function connectRedis(url: string, onRefused: (error: Error) => void = () => undefined): RedisConnection {
  const address = parseRedisUrl(url);
  if (address.kind === 'cluster') return connectCluster(address, onRefused);
  const commands = connectOne(address, {
    commandTimeout: commandTimeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: soonAgainMs,
    // A master that became a replica, or lost its own, is left: whoever is asked for the master now knows another. In
    // older versions the word stands amid the message of a script that failed.
    reconnectOnError: (error) => {
      onRefused(error);
      return /\b(READONLY|MASTERDOWN)\b/.test(error.message);
    },
  });
  let closed = false;
  // The library gives up for good when a failover is told while it connects.
  commands.on(ended, () => {
    if (!closed) setTimeout(() => void commands.connect().catch(() => undefined), soonAgainMs(1));
  });
  return {
    commands,
    isCluster: false,
    sendNow: () => sendNow(commands),
    listen: () => {
      const listener = connectOne(address, { retryStrategy: null });
      return listener.on(ended, () => listener.disconnect()); // with it, what waits for news of a failover
    },
    serves: async ([key]) => mayWrite(commands, key!),
    evictionPolicies: () => policiesOf([commands]),
    close: async () => {
      closed = true;
      await commands.quit().catch(() => undefined);
      commands.disconnect();
    },
  };
}

/**
 * What is sent in one turn of the event loop goes out together: a call of the system costs both sides more than a command.
 * The library's pipelines would do so, too, but fail as one, and wait for each other's answers.
 */
function sendTogether(redis: Redis): Redis {
  return redis.on('connect', () => {
    const { stream } = redis;
    const write = stream.write.bind(stream) as (...given: unknown[]) => boolean;
    stream.write = (...given: unknown[]) => {
      if (stream.writableCorked === 0) {
        stream.cork();
        setImmediate(() => stream.uncork());
      }
      return write(...given);
    };
  });
}

function sendNow({ stream }: Redis): void {
  if (stream?.writableCorked) stream.uncork(); // there is none before the first connection
}

function connectOne(address: Exclude<RedisAddress, { kind: 'cluster' }>, more: Options): Redis {
  const options: Options = { ...impatient, ...more };
  if (address.kind === 'single') return sendTogether(new Redis(address.url.reveal(), options));
  const { sentinels, master, db, tls, login, sentinelLogin } = address;
  const first = Math.floor(Math.random() * sentinels.length);
  const redis = new Redis({
    ...options,
    // Not all of a fleet ask the same one, nor the same one again.
    ...{ sentinels: [...sentinels.slice(first), ...sentinels.slice(0, first)] },
    ...{ name: master, role: 'master', db, ...credentials(login) },
    ...(sentinelLogin?.username !== undefined && { sentinelUsername: sentinelLogin.username }),
    ...(sentinelLogin && { sentinelPassword: sentinelLogin.password.reveal() }),
    ...(tls && { tls: {}, sentinelTLS: {}, enableTLSForSentinelMode: true }),
    sentinelCommandTimeout: commandTimeoutMs,
    sentinelRetryStrategy: soonAgainMs,
    // Tells of a new master while the old one still answers, as on the wrong side of a partition.
    failoverDetector: true,
    sentinelReconnectStrategy: () => 5_000,
  });
  return sendTogether(redis);
}

/** The library limits the time of a command at a node, not that of finding one. */
class ImpatientCluster extends Cluster {
  override sendCommand(command: Command, ...rest: unknown[]): unknown {
    command.setTimeout(commandTimeoutMs);
    return super.sendCommand(command, ...(rest as []));
  }
}

function connectCluster(
  { nodes, tls, login }: Extract<RedisAddress, { kind: 'cluster' }>,
  onRefused: (error: Error) => void,
): RedisConnection {
  const ofNode: Options = { ...credentials(login), ...(tls && { tls: {} }) };
  const { enableOfflineQueue: _, ...patience } = impatient;
  const commands = new ImpatientCluster(nodes, {
    redisOptions: {
      ...{ ...patience, ...ofNode, commandTimeout: commandTimeoutMs },
      reconnectOnError: (error) => {
        onRefused(error);
        return false;
      },
    },
    enableOfflineQueue: false,
    clusterRetryStrategy: soonAgainMs,
    retryDelayOnFailover: askAgainMs,
    retryDelayOnClusterDown: askAgainMs,
    maxRedirections: 5, // not sent for long after its caller was told that it failed
    slotsRefreshInterval: 5_000,
    scaleReads: 'master', // a replica may lag behind what was committed
    dnsLookup: (host, done) => done(null, host), // at each connection, and certificates are for names
  });
  // "Failed to refresh slots cache" alone does not tell a wrong password from a cluster that is away.
  commands.on('error', (error: Error & { lastNodeError?: unknown }) => {
    error.cause ??= error.lastNodeError;
  });
  commands.on('+node', sendTogether);
  const listeners = new Map<string, Redis>();
  // A node that leaves the cluster may live on, and hears nothing any more.
  commands.on('-node', (node: Redis) => listeners.get(nameOf(node.options))?.disconnect());
  let turn = Math.floor(Math.random() * 1_000);
  return {
    commands,
    isCluster: true,
    sendNow: () => commands.nodes('master').forEach(sendNow),
    listen: () => {
      const known = commands.nodes().map(({ options }) => ({ host: options.host!, port: options.port! }));
      const candidates = known.length > 0 ? known : nodes;
      const node = candidates[turn++ % candidates.length]!;
      const listener = new Redis({ ...impatient, ...ofNode, ...node, retryStrategy: null });
      listeners.set(nameOf(node), listener);
      return listener.on(ended, () => {
        if (listeners.get(nameOf(node)) === listener) listeners.delete(nameOf(node));
      });
    },
    serves: async (keys) => void (await Promise.all(keys.map((key) => mayWrite(commands, key)))),
    evictionPolicies: () => policiesOf(commands.nodes('master')),
    close: async () => {
      await commands.quit().catch(() => undefined);
      commands.disconnect();
    },
  };
}

/** Writes nothing, and is refused like any write: by a replica, or where memory is full. */
async function mayWrite(redis: Redis | Cluster, key: string): Promise<void> {
  await (redis as Redis).setrange(key, 0, '');
}

async function policiesOf(nodes: Redis[]): Promise<string[]> {
  const told = await Promise.allSettled(nodes.map((node) => node.info('memory')));
  return told.flatMap((info) => {
    const policy = info.status === 'fulfilled' && /^maxmemory_policy:(\S+)/m.exec(info.value)?.[1];
    return policy ? [policy] : [];
  });
}

function credentials(login?: RedisLogin): Options {
  if (!login) return {};
  return { ...(login.username !== undefined && { username: login.username }), password: login.password.reveal() };
}

function nameOf({ host, port }: Pick<RedisOptions, 'host' | 'port'>): string {
  return `${host}:${port}`;
}
