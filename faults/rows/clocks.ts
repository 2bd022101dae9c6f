import { expect, type Row } from '../row';
import type { Scene } from '../scene';
import { renewedAfter, servedBy } from './steps';

const lifeSeconds = 5;

const callsSince = async (scene: Scene, since: number): Promise<number> =>
  (await scene.calls('eu')).filter(({ at, outcome }) => at > since && outcome === 'issued').length;

/** Reads that were served and refused since. */
function tally(scene: Scene, since: number): string {
  const reads = scene.record.answers.filter(({ sentAt }) => sentAt > since);
  const refused = reads.filter(({ status }) => status !== 200).length;
  return `${reads.length - refused} reads served, ${refused} refused`;
}

/**
 * With a clock that was moved, a token runs out that cannot be renewed: who takes it to be alive by that clock serves it dead.
 * @param move is done once the provider fails
 * @param brokers that are to refuse it in the end
 */
async function runsOut(scene: Scene, brokers: number[], move: () => Promise<void>): Promise<void> {
  await renewedAfter(scene, ['eu'], Date.now()); // so that it is new
  const outage = await scene.inject.modes(['eu'], { outage: 500 });
  await move();
  scene.reader.start(['eu'], brokers, 20);
  for (const broker of brokers) {
    const last = (): number | undefined =>
      scene.record.answers.findLast((answer) => answer.broker === broker && answer.sentAt > outage.from + 500)?.status;
    await scene.until(`broker ${broker} refuses it`, last, (status) => status === 503);
  }
  await scene.pass(1_000); // long past its end, somebody might take it up again
  await scene.inject.endModes(outage);
}

export const clockRows: Row[] = [
  {
    number: 18,
    inject: 'Redis clock +60 s, back, -60 s, back; while it is moved a token runs out',
    expected: 'I1 holds, and renewals go on',
    rig: { redisClock: true },
    run: async (scene) => {
      await scene.addBrokers(2);
      // These have not seen the token when the clock moves: all that they know is what stands in Redis.
      await scene.addBrokers(2, { env: { ROLES: 'serve' } });
      await scene.addClient('eu', { lifeSeconds });
      await scene.addClient('unread', { lifeSeconds });
      await servedBy(scene, 'eu', [0, 1]);
      scene.reader.start(['eu'], [0, 1], 20);
      const seen: string[] = [];
      const move = async (from: number, to: number): Promise<void> => {
        // What is due, and held, is so by that clock: one call more, or a minute of waiting for who is not asked for.
        const moved = scene.inject.begin(`Redis clock at ${to} s`, { extraCalls: 1, hindersQueue: true });
        scene.redisClock.shift(to);
        scene.inject.end(moved);
        moved.delaysMs = to < from ? 60_000 : 15_500;
      };
      for (const [index, shift] of [60, -60].entries()) {
        const shiftedAt = Date.now();
        await runsOut(scene, [0, 1, 2 + index], () => move(0, shift));
        const healedAt = Date.now();
        await renewedAfter(scene, ['eu'], healedAt);
        await scene.pass(3_500);
        await move(shift, 0);
        await renewedAfter(scene, ['eu'], Date.now());
        const calls = await callsSince(scene, healedAt);
        expect(calls >= 2 && calls <= 6, `${calls} calls while the clock was at ${shift} s and after`);
        seen.push(`${shift} s: ${tally(scene, shiftedAt)}, ${calls} calls once the provider was well`);
      }
      return seen.join('; ');
    },
  },
  {
    number: 19,
    inject: 'clock of one host +10 min, back, -10 min, back; while it is moved a token runs out',
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
        let fault = scene.inject.once('no shift yet');
        await runsOut(scene, [0, 1], async () => {
          fault = await scene.inject.shiftClock(shifted, minutes * 60_000);
        });
        await renewedAfter(scene, ['eu'], Date.now());
        const healedAt = Date.now();
        await scene.pass(6_000);
        const calls = await callsSince(scene, healedAt);
        await scene.inject.endShift(shifted, fault);
        await renewedAfter(scene, ['eu'], fault.to!);
        await servedBy(scene, 'eu', [0, 1]);
        // Twice what a healthy fleet asks for: one of the two takes the other's tokens for dead.
        expect(calls >= 1 && calls <= 5, `${calls} calls in 6 s at ${minutes} min`);
        seen.push(`${minutes} min: ${tally(scene, shiftedAt)}, ${calls} calls in 6 s once the provider was well`);
      }
      return seen.join('; ');
    },
  },
];
