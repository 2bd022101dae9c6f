import { startRedis } from '../../test/harness/redis';
import { command, follows, waitUntil } from '../../test/harness/redis-process';
import { expect, type Row, seconds } from '../row';
import type { Scene } from '../scene';
import { renewedAfter, servedBy } from './steps';

const names = Array.from({ length: 20 }, (_, index) => `c${index}`);

async function underLoad(scene: Scene, lifeSeconds: number): Promise<void> {
  await scene.addBrokers(2);
  for (const name of names) await scene.addClient(name, { verify: false, lifeSeconds });
  for (const name of names) await servedBy(scene, name, [0, 1]);
  scene.reader.start(names, [0, 1], 100);
}

const refusedSince = (scene: Scene, since: number): number =>
  scene.record.answers.filter(({ status, sentAt }) => sentAt > since && status !== 200).length;

async function connectionsSoFar(port: number): Promise<number> {
  const stats = await command<string>(port, 'INFO', 'stats');
  return Number(/total_connections_received:(\d+)/.exec(stats)![1]);
}

export const failoverRows: Row[] = [
  {
    number: 13,
    inject: 'replica promoted, the last writes lost',
    expected: '<= 1 extra call per client touched',
    rig: { redis: 'sentinel' },
    run: async (scene) => {
      await underLoad(scene, 20);
      const [master, replica] = scene.sentinel.nodes;
      // Renewals of some have to fall into the moment that is lost: these are renewed by hand in it.
      const touched = names.slice(0, 5);
      const lost = scene.inject.begin('a second of writes, then the master, lost', {
        ...{ extraCalls: 1, delaysMs: 75_500, hindersQueue: true, breaks: ['quotas'] as const },
      });
      await command(replica!.port, 'REPLICAOF', '127.0.0.1', 1);
      const cutAt = Date.now();
      scene.inject.once('renewed by hand', { clients: touched, extraCalls: 1 });
      for (const name of touched) await scene.mustAdmin('POST', `/v1/clients/${name}/renewals`);
      await scene.pass(Math.max(0, cutAt + 1_000 - Date.now()));
      const written = await Promise.all(touched.map((name) => scene.reader.read(name, 0)));
      await master!.kill('SIGKILL');
      const killedAt = Date.now();
      const promoted = await scene.sentinel.newMasterFor(master!);
      const promotedAt = Date.now();
      scene.inject.end(lost);
      const keys = await command<string[]>(promoted.port, 'KEYS', 'tb1:*:c:*');
      const stored = await Promise.all(keys.map((key) => command<string>(promoted.port, 'HGET', key, 'g')));
      const missing = written.filter(({ generation }) => !stored.includes(String(generation))).length;
      await renewedAfter(scene, names, killedAt);
      for (const name of names) await servedBy(scene, name, [0, 1]);
      const calls = await Promise.all(
        touched.map(
          async (name) => (await scene.calls(name)).filter(({ at }) => at > killedAt && at < killedAt + 10_000).length,
        ),
      );
      expect(missing > 0, 'no write was lost');
      expect(Math.max(...calls) <= 1, `${Math.max(...calls)} calls within 10 s for a client whose token was lost`);
      expect(refusedSince(scene, cutAt) === 0, `${refusedSince(scene, cutAt)} reads were refused`);
      return `promoted after ${seconds(promotedAt - killedAt)}; ${missing} of ${touched.length} tokens lost, ${calls.reduce((a, b) => a + b, 0)} extra calls for them; no read refused`;
    },
  },
  {
    number: 14,
    inject: 'master demoted under live connections, answers READONLY for 3 s',
    expected: 'reconnected <= 5 s, no restart',
    run: async (scene) => {
      await underLoad(scene, 10);
      const { port } = scene.redis;
      const other = await startRedis();
      try {
        const demoted = scene.inject.begin('master demoted', {
          ...{ extraCalls: 1, delaysMs: 15_500, hindersQueue: true },
        });
        await command(other.port, 'REPLICAOF', '127.0.0.1', port);
        await waitUntil('the other one follows', () => follows(other.port));
        await command(other.port, 'REPLICAOF', 'NO', 'ONE');
        await command(port, 'REPLICAOF', '127.0.0.1', other.port);
        await waitUntil('it is demoted', () => follows(port));
        const connections = await connectionsSoFar(port);
        await scene.pass(3_000);
        const answer = await command(port, 'SET', 'x', 1).catch(({ message }: Error) => message);
        expect(String(answer).startsWith('READONLY'), `it answered ${String(answer)}`);
        // Each does as soon as it wants to write. To look is a connection, too.
        let looks = 1;
        const reconnected = await scene.until(
          'both brokers have left it',
          async () => (await connectionsSoFar(port)) - connections - ++looks,
          (made) => made >= 2,
        );
        const calls = (await Promise.all(names.map((name) => scene.calls(name)))).flat();
        const meanwhile = calls.filter(({ at }) => at > demoted.from + 1_000).length;
        await command(port, 'REPLICAOF', 'NO', 'ONE');
        scene.inject.end(demoted);
        const [first] = (await renewedAfter(scene, names, demoted.to!)).toSorted((a, b) => a - b);
        const tookMs = first! - demoted.to!;
        const refused = refusedSince(scene, demoted.from);
        expect(tookMs <= 5_000, `renewals went on after ${seconds(tookMs)}`);
        expect(refused === 0, `${refused} reads were refused`);
        return `${reconnected} new connections meanwhile, ${meanwhile} calls; renewals went on ${seconds(tookMs)} after; no read refused`;
      } finally {
        await other.stop();
      }
    },
  },
  {
    ...{ number: 14, also: 'c' },
    inject: 'Sentinel failover under load, twice',
    expected: 'reconnected <= 5 s, no restart',
    rig: { redis: 'sentinel' },
    run: async (scene) => {
      await underLoad(scene, 10);
      const begunAt = Date.now();
      const took: number[] = [];
      for (let times = 0; times < 2; times++) {
        const old = await scene.sentinel.master();
        const demoted = scene.inject.begin('failover by command', {
          ...{ extraCalls: 1, delaysMs: 15_500, hindersQueue: true, breaks: ['quotas'] as const },
        });
        await scene.until(
          'a Sentinel begins',
          () => command(scene.sentinel.sentinels[0]!.port, 'SENTINEL', 'FAILOVER', 'mymaster').catch(() => undefined),
          (answer) => answer === 'OK',
        );
        const next = await scene.sentinel.newMasterFor(old);
        const promotedAt = Date.now();
        scene.inject.end(demoted);
        // Each broker has told the new master something: its name stands in none of the others.
        const [first] = (await renewedAfter(scene, names, promotedAt)).toSorted((a, b) => a - b);
        took.push(first! - promotedAt);
        await scene.until(
          'the old one answers READONLY',
          () => command(old.port, 'SET', 'x', 1).catch(({ message }: Error) => message),
          (answer) => String(answer).startsWith('READONLY'),
        );
        const clients = async (): Promise<number> =>
          (await command<string>(next.port, 'CLIENT', 'LIST'))
            .split('\n')
            .filter((line) => /cmd=(evalsha|eval)/.test(line)).length;
        await scene.until('both brokers work at the new one', clients, (count) => count >= 2);
      }
      const refused = refusedSince(scene, begunAt);
      expect(Math.max(...took) <= 5_000, `renewals went on after ${took.map(seconds).join(' and ')}`);
      expect(refused === 0, `${refused} reads were refused`);
      return `renewals went on ${took.map(seconds).join(' and ')} after the promotion, in the same processes; no read refused`;
    },
  },
];
