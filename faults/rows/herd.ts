import { expect, type Row, seconds } from '../row';

export const herdRows: Row[] = [
  {
    number: 33,
    inject: '1,000 concurrent cold reads on 4 replicas',
    expected: '1 provider call',
    run: async (scene) => {
      await scene.addBrokers(4, { env: { ROLES: 'serve' } }); // so that only the readers ask
      await scene.addClient('eu', { verify: false, lifeSeconds: 60, modes: { latency_ms: { value: 300, times: 1 } } });
      const sentAt = Date.now();
      const reads = await Promise.all(Array.from({ length: 1_000 }, (_, index) => scene.reader.read('eu', index % 4)));
      const tookMs = Date.now() - sentAt;
      const calls = (await scene.calls('eu')).length;
      const served = reads.filter(({ status }) => status === 200).length;
      const toldToWait = reads.filter(({ reason, retryAfterSeconds }) => reason === 'renewing' && retryAfterSeconds);
      expect(calls === 1, `${calls} calls`);
      // On a busy machine the first token may take longer than readers are made to wait, 2 s.
      expect(served + toldToWait.length === reads.length && served > 0, `${served} of ${reads.length} reads got it`);
      return `1 call; within ${seconds(tookMs)} ${served} reads were served and ${toldToWait.length} told to come back`;
    },
  },
];
