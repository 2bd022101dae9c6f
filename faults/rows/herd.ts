import { expect, type Row, seconds } from '../row';

export const herdRows: Row[] = [
  {
    number: 33,
    inject: '1,000 concurrent cold reads on 4 replicas',
    expected: '1 provider call',
    run: async (scene) => {
      await scene.addBrokers(4, { env: { ROLES: 'serve' } }); // so that only the readers ask
      await scene.addClient('eu', {
        verify: false,
        lifeSeconds: 60,
        modes: { latency_ms: { value: 1_000, times: 1 } },
      });
      const sentAt = Date.now();
      const reads = await Promise.all(Array.from({ length: 1_000 }, (_, index) => scene.reader.read('eu', index % 4)));
      const calls = (await scene.calls('eu')).length;
      const served = reads.filter(({ status }) => status === 200).length;
      expect(calls === 1, `${calls} calls`);
      expect(served === reads.length, `${served} of ${reads.length} reads got the token`);
      return `1 call, all ${served} reads served within ${seconds(Date.now() - sentAt)}`;
    },
  },
];
