import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  command,
  follows,
  forgetful,
  neededRedisProgram,
  type PrivateRedis,
  startRedisProcess,
  waitUntil,
} from './redis-process';

/** A master, a replica, and three Sentinels that watch over them. */
export interface RedisSentinel {
  /** As REDIS_URL takes it. */
  url: string;
  /** The first master, then its replica. */
  nodes: PrivateRedis[];
  sentinels: PrivateRedis[];
  /** The master as the Sentinels tell it now. */
  master(): Promise<PrivateRedis>;
  /** Waits until the Sentinels tell another master than this one, and that is one. */
  newMasterFor(old: PrivateRedis): Promise<PrivateRedis>;
  /** Waits until this node, which was away, is a replica that follows. */
  followsAgain(node: PrivateRedis): Promise<void>;
  stop(): Promise<void>;
}

const name = 'mymaster';

export async function startRedisSentinel(): Promise<RedisSentinel> {
  const program = await neededRedisProgram();
  const first = await startRedisProcess(program, { args: (folder) => node(folder) });
  const running = [first];
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((one) => one.stop()));
  };
  const start = async (args: (folder: string) => string[]): Promise<PrivateRedis> => {
    const one = await startRedisProcess(program, { args });
    running.push(one);
    return one;
  };
  try {
    const replica = await start((folder) => node(folder, `replicaof 127.0.0.1 ${first.port}`));
    await waitUntil('a replica that has followed', () => follows(replica.port));
    const sentinels = await Promise.all([1, 2, 3].map(() => start((folder) => sentinel(folder, first.port))));
    await waitUntil('Sentinels that know each other', async () =>
      (await Promise.all(sentinels.map(({ port }) => command<string[]>(port, 'SENTINEL', 'MASTER', name)))).every(
        (flat) => valueOf(flat, 'num-other-sentinels') === '2' && valueOf(flat, 'num-slaves') === '1',
      ),
    );
    const nodes = [first, replica];
    const master = async (): Promise<PrivateRedis> => {
      const told = await Promise.all(
        sentinels.map(({ port }) =>
          command<string[]>(port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name).then(
            ([, at]) => Number(at),
            () => 0,
          ),
        ),
      );
      const answers = told.filter(Boolean);
      const found = nodes.find(({ port }) => answers.length > 0 && answers.every((at) => at === port));
      if (!found) throw new Error('the Sentinels do not agree');
      return found;
    };
    return {
      url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`,
      nodes,
      sentinels,
      master,
      newMasterFor: async (old) => {
        await waitUntil('a new master', async () => {
          const told = await master();
          return told !== old && (await command<string[]>(told.port, 'ROLE'))[0] === 'master';
        });
        return master();
      },
      followsAgain: ({ port }) => waitUntil('a replica again', () => follows(port), 30_000),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Sentinel has a node write down whose replica it is, so that it is the same once it was restarted. */
function node(folder: string, line = ''): string[] {
  const file = join(folder, 'redis.conf');
  writeFileSync(file, `${line}\n`);
  return [file, ...forgetful];
}

/** A Sentinel writes what it learns into its file. */
function sentinel(folder: string, masterPort: number): string[] {
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor ${name} 127.0.0.1 ${masterPort} 2`,
    `sentinel down-after-milliseconds ${name} 1000`,
    `sentinel failover-timeout ${name} 2000`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return [file, '--sentinel', '--loglevel', 'warning'];
}

function valueOf(flat: string[], field: string): string | undefined {
  const at = flat.indexOf(field);
  return at < 0 ? undefined : flat[at + 1];
}
