import { expect, type Row } from '../row';
import type { Scene } from '../scene';
import { renewedAfter, servedBy } from './steps';

const lifeSeconds = 6;

async function callsSince(scene: Scene, since: number): Promise<number> {
  return (await scene.calls('eu')).filter(({ at }) => at > since).length;
}

/** Reads that were served and refused since. */
function tally(scene: Scene, since: number): string {
  const reads = scene.record.answers.filter(({ sentAt }) => sentAt > since);
  const refused = reads.filter(({ status }) => status !== 200).length;
  return `${reads.length - refused} reads served, ${refused} refused`;
}

export const clockRows: Row[] = [
  {
    number: 18,
    inject: 'Redis clock +60 s, back, -60 s, back',
    expected: 'I1 holds, and renewals go on',
    rig: { redisClock: true },
    run: async (scene) => {
      await scene.addBrokers(2);
      await scene.addClient('eu', { lifeSeconds });
      await scene.addClient('unread', { lifeSeconds });
      await servedBy(scene, 'eu', [0, 1]);
      scene.reader.start(['eu'], [0, 1], 20);
      const seen: string[] = [];
      let before = 0;
      for (const shift of [60, 0, -60, 0]) {
        const back = shift < before;
        const shiftedAt = Date.now();
        // What is due, and held, is so by that clock: one call more, or a minute of waiting for who is not asked for.
        const moved = scene.inject.begin(`Redis clock at ${shift} s`, { extraCalls: 1, hindersQueue: true });
        scene.redisClock.shift(shift);
        scene.inject.end(moved);
        moved.delaysMs = back ? 60_000 : 15_500;
        before = shift;
        await renewedAfter(scene, ['eu'], shiftedAt);
        await scene.pass(3_500);
        const calls = await callsSince(scene, shiftedAt);
        expect(calls >= 1 && calls <= 4, `${calls} calls while the clock was at ${shift} s`);
        seen.push(`${shift} s: ${calls} calls, ${tally(scene, shiftedAt)}`);
      }
      return seen.join('; ');
    },
  },
  {
    number: 19,
    inject: 'clock of one host +10 min, back, -10 min, back',
    expected: 'I1 holds, and renewals go on',
    run: async (scene) => {
      const shifted = await scene.addBroker({ controlled: true });
      await scene.addBroker();
      await scene.addClient('eu', { lifeSeconds });
      await servedBy(scene, 'eu', [0, 1]);
      scene.reader.start(['eu'], [0, 1], 20);
      const seen: string[] = [];
      for (const minutes of [10, -10]) {
        const shiftedAt = Date.now();
        const fault = await scene.inject.shiftClock(shifted, minutes * 60_000);
        await scene.pass(8_000);
        const during = await callsSince(scene, shiftedAt);
        await scene.inject.endShift(shifted, fault);
        await renewedAfter(scene, ['eu'], fault.to!);
        await servedBy(scene, 'eu', [0, 1]);
        // Twice what a healthy fleet asks for: one of the two takes the other's tokens for dead.
        expect(during >= 1 && during <= 6, `${during} calls in 8 s at ${minutes} min`);
        const wrong = scene.record.answers.filter(
          ({ sentAt, broker, status }) => sentAt > shiftedAt && broker === 1 && status !== 200,
        );
        seen.push(
          `${minutes} min: ${during} calls in 8 s, ${tally(scene, shiftedAt)}, ${wrong.length} of them by the other`,
        );
      }
      return seen.join('; ');
    },
  },
];
