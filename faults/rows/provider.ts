import { expect, type Row, seconds } from '../row';
import { callAfter } from './steps';

export const providerRows: Row[] = [
  {
    number: 23,
    inject: 'provider 500 from a renewal on, for a twentieth of the life',
    expected: 'no service sees it',
    run: async (scene) => {
      await scene.addBrokers(2);
      await scene.addClient('eu', { lifeSeconds: 40 });
      scene.reader.start(['eu'], [0, 1], 20);
      const [first] = await scene.calls('eu');
      const outage = await scene.inject.modes(['eu'], { outage: 500 });
      const failedAt = await callAfter(scene, 'eu', first!.at);
      await scene.pass(2_000);
      await scene.inject.endModes(outage);
      const healed = await scene.until(
        'renewed',
        () => scene.calls('eu'),
        (calls) => calls.at(-1)!.outcome === 'issued' && calls.length > 1,
      );
      const refused = scene.record.answers.filter(({ status }) => status !== 200).length;
      expect(refused === 0, `${refused} reads were refused`);
      const failures = healed.filter(({ outcome }) => outcome === 'outage').length;
      return `${failures} failures, healed ${seconds(healed.at(-1)!.at - failedAt)} after the first; ${scene.record.answers.length} reads, none refused`;
    },
  },
  {
    number: 24,
    inject: 'provider 500 past serveUntil',
    expected: '503 only then; heals alone',
    run: async (scene) => {
      await scene.addBroker();
      await scene.addClient('eu');
      const outage = await scene.inject.modes(['eu'], { outage: 500 });
      scene.reader.start(['eu'], [0], 20);
      const refused = await scene.until(
        'refused',
        () => scene.record.answers.find(({ status }) => status === 503),
        (seen) => seen !== undefined,
      );
      await scene.inject.endModes(outage);
      const healed = await scene.until(
        'healed',
        () => scene.record.answers.find(({ status, sentAt }) => status === 200 && sentAt > outage.to!),
        (seen) => seen !== undefined,
        60_000,
      );
      const { code, reason } = refused!;
      expect(code === 'token_unavailable' && reason === 'provider_unavailable', `refused as ${code}, ${reason}`);
      return `503 ${reason} once it was over, 200 again ${seconds(healed!.receivedAt - outage.to!)} after the outage`;
    },
  },
];
