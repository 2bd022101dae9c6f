import { tokensServed } from '../checks/answers';
import { expect, type Row, seconds } from '../row';
import { callAfter, underWay } from './steps';

export const clientRows: Row[] = [
  {
    number: 31,
    inject: 'secret rotated in mid-flight',
    expected: 'old result fenced; new token <= 2 s',
    quick: true,
    run: async (scene) => {
      await scene.addBrokers(2);
      await underWay(scene, 'eu', { latencyMs: 2_500, lifeSeconds: 60 });
      scene.reader.start(['eu'], [0, 1], 20);
      await scene.inject.rotate('eu');
      const rotatedAt = scene.client('eu').rotations[0]!.answered!;
      const served = (broker: number) =>
        scene.record.answers.find((answer) => answer.broker === broker && answer.status === 200);
      const first = await scene.until(
        'both serve',
        () => [served(0), served(1)],
        (answers) => answers.every((answer) => answer !== undefined),
      );
      await scene.until(
        'the old request has ended',
        () => scene.calls('eu'),
        (calls) => calls.every(({ outcome }) => outcome !== null),
      );
      await scene.pass(500); // for what its answer might do
      const tookMs = Math.max(...first.map((answer) => answer!.receivedAt)) - rotatedAt;
      expect(tookMs <= 2_000, `the new token was served ${seconds(tookMs)} after the change`);
      const tokens = tokensServed(scene.record, 'eu').length;
      expect(tokens === 1, `${tokens} tokens were served`);
      return `new token served ${seconds(Math.max(0, tookMs))} after the change, the old one never`;
    },
  },
  {
    number: 32,
    inject: 'client deleted in mid-flight',
    expected: 'not resurrected',
    quick: true,
    run: async (scene) => {
      await scene.addBroker();
      await underWay(scene, 'eu', { latencyMs: 2_000, lifeSeconds: 60 });
      scene.reader.start(['eu'], [0], 50);
      await scene.inject.remove('eu');
      const deletedAt = Date.now();
      const { id } = scene.client('eu');
      await scene.until(
        'the request has ended',
        () => scene.calls('eu'),
        ([call]) => call!.outcome === 'issued',
      );
      await scene.until(
        'the worker has done with it',
        () => scene.reader.read('eu'),
        ({ status, sentAt }) => status === 404 && sentAt > deletedAt + 3_000,
      );
      const keys = await scene.queue.redis.keys(`*${id}*`);
      const queued = (await scene.queue.queued()).has(id);
      const served = scene.record.answers.filter(({ status, sentAt }) => status === 200 && sentAt > deletedAt).length;
      const calls = (await scene.calls('eu')).length;
      expect(keys.length === 0 && !queued, `left in Redis: ${keys.join(', ')}${queued ? ', and in the queue' : ''}`);
      expect(served === 0 && calls === 1, `${served} tokens served, ${calls} calls`);
      return '404 at once, no key of it in Redis, not asked for again';
    },
  },
  {
    number: 35,
    inject: 'one client removed from the queue by hand',
    expected: 'back <= 60 s',
    run: async (scene) => {
      await scene.addBroker();
      for (const name of ['eu', 'us']) await scene.addClient(name, { lifeSeconds: 300 });
      const { id } = scene.client('eu');
      const shards = Array.from({ length: 16 }, (_, shard) => `tb1:{${shard}}:due`);
      const removed = await Promise.all(shards.map((due) => scene.queue.redis.zrem(due, id)));
      const removedAt = Date.now();
      scene.inject.once('eu taken out of the queue', { clients: ['eu'], extraCalls: 1, delaysMs: 60_000 });
      expect(removed.filter(Boolean).length === 1, 'it was not in the queue');
      await scene.until(
        'back',
        () => scene.queue.absent(),
        (names) => names.length === 0,
        75_000,
      );
      const tookMs = Date.now() - removedAt;
      expect(tookMs <= 60_500, `back after ${seconds(tookMs)}`);
      await callAfter(scene, 'eu', 0);
      return `back after ${seconds(tookMs)}`;
    },
  },
];
