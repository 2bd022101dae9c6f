import { command } from '../../test/harness/redis-process';
import type { Fault } from '../record';
import { expect, type Row, seconds } from '../row';
import type { Scene } from '../scene';
import { servedBy } from './steps';

const read = Array.from({ length: 80 }, (_, index) => `read${index}`);
const unread = Array.from({ length: 40 }, (_, index) => `unread${index}`);
const all = [...read, ...unread];
/** Clients come back at 50 in a second; without that all of them would be due within a quarter of one. */
const halfSecondMs = 500;
const atMostAtOnce = 65;

/**
 * Clients that are read, and others that are not, lose their place in the queue.
 * @returns what was seen
 */
async function lost(scene: Scene, lose: () => Promise<Fault>): Promise<string> {
  const first = await scene.addBroker();
  for (const name of all) await scene.addClient(name, { verify: false, lifeSeconds: 60 });
  for (const name of all) await servedBy(scene, name, [first.index]);
  await scene.addBrokers(2);
  for (const name of read) await servedBy(scene, name, [1, 2]);
  await scene.inject.terminate(first); // those that stay have the others neither in memory nor read them
  scene.reader.start(read, [1, 2], 600);
  const fault = await lose();
  const lostAt = fault.to!;
  await scene.until(
    'everybody is back in the queue',
    () => scene.queue.absent().catch(() => all),
    (names) => names.length === 0,
    60_000,
  );
  const backMs = Date.now() - lostAt;
  const names = fault.clients === 'all' ? all : [...fault.clients];
  const newTokens = async (): Promise<number[]> => {
    const calls = await Promise.all(names.map((name) => scene.calls(name)));
    return calls.flatMap((ofOne) => ofOne.filter(({ at }) => at > lostAt).slice(0, 1)).map(({ at }) => at);
  };
  const at = await scene.until('everybody is renewed', newTokens, ({ length }) => length === names.length, 60_000);
  const peak = Math.max(...at.map((from) => at.filter((other) => other >= from && other < from + halfSecondMs).length));
  for (const name of names.filter((one) => unread.includes(one))) await servedBy(scene, name, [1, 2]);
  const refused = scene.record.answers.filter(({ status, sentAt }) => sentAt >= fault.from && status !== 200);
  const cached = refused.filter(({ client }) => read.includes(client)).length;
  expect(cached === 0, `${cached} reads of what was in memory were refused`);
  expect(peak <= atMostAtOnce, `${peak} of ${names.length} renewals within half a second`);
  return `queue whole after ${seconds(backMs)}, renewed within ${seconds(Math.max(...at) - lostAt)}, at most ${peak} of ${names.length} in half a second; no read refused`;
}

/** Those whose shards are on that node of the cluster. */
async function clientsOf(scene: Scene, port: number): Promise<string[]> {
  const onIt = new Set<string>();
  for (let shard = 0; shard < 16; shard++) {
    const due = `tb1:{${shard}}:due`;
    if ((await scene.cluster.masterOf(due)).port !== port) continue;
    for (const id of await command<string[]>(port, 'ZRANGE', due, 0, -1)) onIt.add(id);
  }
  return scene.record.clients.filter(({ id }) => onIt.has(id)).map(({ name }) => name);
}

export const lostRows: Row[] = [
  {
    number: 9,
    inject: 'Redis FLUSHALL',
    expected: 'in-process cache serves; queue rebuilt <= 60 s, spread',
    run: (scene) => lost(scene, () => scene.inject.flushRedis()),
  },
  {
    ...{ number: 9, also: 'c' },
    inject: 'one master of a cluster FLUSHALL',
    expected: 'as 9; the clients of the other masters are not touched',
    rig: { redis: 'cluster' },
    run: (scene) =>
      lost(scene, async () => {
        const [node] = scene.cluster.nodes;
        const clients = await clientsOf(scene, node!.port);
        await scene.cluster.flush(node!);
        const flushed = scene.inject.once('FLUSHALL of one master', {
          ...{ clients, extraCalls: 1, delaysMs: 75_500, breaks: ['quotas'] as const },
        });
        scene.note(`of that master: ${clients.join(', ')}`);
        return flushed;
      }),
  },
  {
    number: 10,
    inject: 'Redis killed, restarted empty',
    expected: 'as 9',
    run: (scene) =>
      lost(scene, async () => {
        const gone = await scene.inject.killRedis();
        await scene.pass(2_000);
        await scene.inject.restartRedis(gone);
        return gone;
      }),
  },
  {
    ...{ number: 10, also: 'c' },
    inject: 'one master of a cluster killed, restarted empty',
    expected: 'as 9; the clients of the other masters lose nothing',
    rig: { redis: 'cluster' },
    run: (scene) =>
      lost(scene, async () => {
        const [node] = scene.cluster.nodes;
        const clients = await clientsOf(scene, node!.port);
        // With the default of Redis one master that is away stops all, so renewals of all may wait; and what the provider
        // answers meanwhile no node takes, so it is asked again once the lease is over.
        const whole = scene.inject.begin('a cluster that is not whole', {
          ...{ extraCalls: 1, delaysMs: 15_500, hindersQueue: true },
        });
        const gone = scene.inject.begin('kill -9 of one master', {
          ...{ clients, extraCalls: 1, delaysMs: 75_500, breaks: ['quotas'] as const },
        });
        await node!.kill('SIGKILL');
        await scene.pass(2_000);
        await node!.restart();
        scene.inject.end(gone);
        await scene.cluster.whole();
        scene.inject.end(whole);
        return gone;
      }),
  },
  {
    number: 17,
    inject: 'SCRIPT FLUSH, ten times a second',
    expected: 'no failure seen',
    run: async (scene) => {
      await scene.addBrokers(2);
      const names = ['a', 'b', 'c', 'd'];
      for (const name of names) await scene.addClient(name, { lifeSeconds: 3 });
      scene.reader.start(names, [0, 1], 20);
      let flushed = 0;
      for (; flushed < 30; flushed++) {
        await scene.inject.flushScripts();
        await scene.pass(100);
      }
      const refused = scene.record.answers.filter(({ status }) => status !== 200).length;
      const renewals = (await Promise.all(names.map((name) => scene.calls(name)))).flat().length - names.length;
      const complaints = scene.brokers.filter(({ running }) => /"level":(40|50|60)|NOSCRIPT/.test(running.output()));
      expect(refused === 0, `${refused} reads were refused`);
      expect(renewals >= names.length, `${renewals} renewals`);
      expect(complaints.length === 0, 'a broker warned of something');
      return `${flushed} times, ${renewals} renewals, ${scene.record.answers.length} reads, none refused, no warning`;
    },
  },
];
