import { setImmediate as immediate } from 'node:timers/promises';
import { Gathering } from './gathering';

describe('gathering', () => {
  it('lets who comes alone go on at once, and those who follow together, a few in one turn', async () => {
    const gathering = new Gathering(20);
    expect(gathering.join()).toBeUndefined();
    let gone = 0;
    const others = Array.from({ length: 20 }, () => gathering.join()!.then(() => gone++));
    expect(gone).toBe(0);
    const steps = new Set<number>();
    while (gone < 20) {
      await immediate();
      steps.add(gone);
    }
    await Promise.all(others);
    expect([...steps].filter((step) => step > 0)).toEqual([8, 16, 20]);
  });
});
