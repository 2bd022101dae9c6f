import { freePort } from './free-port';
import {
  command,
  follows,
  forgetful,
  neededRedisProgram,
  type PrivateRedis,
  startRedisProcess,
  waitUntil,
} from './redis-process';

/** A Redis Cluster of one's own: three masters that share the slots equally, each with a replica where it is asked for. */
export interface RedisCluster {
  /** As REDIS_URL takes it. */
  url: string;
  /** The three first masters, then their replicas in the same order. */
  nodes: PrivateRedis[];
  /** The node that owns the slot of this key now, as a node that answers tells it. */
  masterOf(key: string): Promise<PrivateRedis>;
  /** Waits until another node than this one owns the slots that were its own, and all slots are served. */
  newMasterFor(old: PrivateRedis, key: string): Promise<PrivateRedis>;
  /** Waits until every node that answers says that all slots are served. */
  whole(): Promise<void>;
  /** Empties one node, as its loss would. */
  flush(node: PrivateRedis): Promise<void>;
  stop(): Promise<void>;
}

const slots = 16_384;
/** After so long without an answer a node is held for failed: short, so that a test need not wait. */
const nodeTimeoutMs = 1_500;

export async function startRedisCluster({ replicas = false } = {}): Promise<RedisCluster> {
  const program = await neededRedisProgram();
  const node = async (): Promise<PrivateRedis> => {
    const busPort = await freePort(); // the usual one, 10000 above, may lie beyond the last port
    const args = [
      ...forgetful,
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
      ...['--cluster-node-timeout', String(nodeTimeoutMs), '--cluster-replica-validity-factor', '0'],
    ];
    return startRedisProcess(program, { args: () => args });
  };
  const nodes = await Promise.all(Array.from({ length: replicas ? 6 : 3 }, node));
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((one) => one.stop()));
  };
  const masters = nodes.slice(0, 3);
  const answering = async (): Promise<PrivateRedis[]> => {
    const pongs = await Promise.all(nodes.map(({ port }) => command(port, 'PING').catch(() => undefined)));
    return nodes.filter((_, i) => pongs[i] === 'PONG');
  };
  const isWhole = async (): Promise<boolean> => {
    const infos = await Promise.all((await answering()).map(({ port }) => command<string>(port, 'CLUSTER', 'INFO')));
    return infos.length > 0 && infos.every((info) => /cluster_state:ok/.test(info));
  };
  const ownerOf = async (key: string, besides?: PrivateRedis): Promise<PrivateRedis> => {
    for (const { port } of (await answering()).filter((one) => one !== besides)) {
      const slot = await command<number>(port, 'CLUSTER', 'KEYSLOT', key);
      const ranges = await command<[number, number, [string, number]][]>(port, 'CLUSTER', 'SLOTS');
      const range = ranges.find(([from, to]) => from <= slot && slot <= to);
      const owner = range && nodes.find((one) => one.port === range[2][1]);
      if (owner) return owner;
    }
    throw new Error(`no node owns the slot of ${key}`);
  };
  const cluster: RedisCluster = {
    url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
    nodes,
    masterOf: (key) => ownerOf(key),
    newMasterFor: async (old, key) => {
      await waitUntil('a new master', async () => (await ownerOf(key, old)) !== old && (await isWhole()));
      return ownerOf(key, old);
    },
    whole: () => waitUntil('a whole cluster', isWhole),
    flush: async ({ port }) => void (await command(port, 'FLUSHALL')),
    stop,
  };
  try {
    await join(nodes);
    await cluster.whole();
    return cluster;
  } catch (error) {
    await stop();
    throw error;
  }
}

async function join(nodes: PrivateRedis[]): Promise<void> {
  const masters = nodes.slice(0, 3);
  await Promise.all(nodes.map(({ port }, i) => command(port, 'CLUSTER', 'SET-CONFIG-EPOCH', i + 1)));
  await Promise.all(
    masters.map(({ port }, i) => {
      const [from, behind] = [Math.floor((slots * i) / 3), Math.floor((slots * (i + 1)) / 3)];
      return command(port, 'CLUSTER', 'ADDSLOTSRANGE', from, behind - 1);
    }),
  );
  const buses = await Promise.all(
    nodes.map(async ({ port }) => (await command<string[]>(port, 'CONFIG', 'GET', 'cluster-port'))[1]!),
  );
  // Everybody meets everybody: quicker than to wait for gossip.
  for (const [i, { port }] of nodes.entries()) {
    const others = nodes.flatMap((other, j) => (j > i ? [[other.port, buses[j]!] as const] : []));
    await Promise.all(others.map((other) => command(port, 'CLUSTER', 'MEET', '127.0.0.1', ...other)));
  }
  const known = async ({ port }: PrivateRedis): Promise<number> =>
    (await command<string>(port, 'CLUSTER', 'NODES')).split('\n').filter((line) => / connected/.test(line)).length;
  await waitUntil('nodes that know each other', async () =>
    (await Promise.all(nodes.map(known))).every((count) => count === nodes.length),
  );
  for (const [i, { port }] of nodes.slice(3).entries()) {
    const master = await command<string>(masters[i]!.port, 'CLUSTER', 'MYID');
    await command(port, 'CLUSTER', 'REPLICATE', master);
  }
  await waitUntil('replicas that have followed', async () =>
    (await Promise.all(nodes.slice(3).map(({ port }) => follows(port)))).every(Boolean),
  );
}
