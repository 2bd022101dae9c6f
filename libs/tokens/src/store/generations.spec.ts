import { setImmediate as endOfTurn } from 'node:timers/promises';
import { Generations } from './generations';
import { clientKeys, shardOf } from './redis-keys';

const ids = Array.from({ length: 40 }, (_, i) => `c${i}`);

describe('generations that are asked for in one turn', () => {
  let questions: string[][];
  let fail: boolean;
  const of = (onlyOneShard: boolean) =>
    new Generations(async (keys) => {
      questions.push(keys);
      if (fail && questions.length === 2) throw new Error('away');
      return keys.map((key) => (key.endsWith('c7') ? null : Buffer.from(`of ${key}`)));
    }, onlyOneShard);
  const expected = ids.map((id) => (id === 'c7' ? undefined : `of ${clientKeys(id).client}`));

  beforeEach(() => {
    [questions, fail] = [[], false];
  });

  it('are asked for sixteen at a time, at once, and what is left at its end; each asker gets its own', async () => {
    const generations = of(false);
    const asked = ids.map((id) => generations.of(id));
    expect(questions.map((keys) => keys.length)).toEqual([16, 16]);
    await endOfTurn();
    expect(questions.map((keys) => keys.length)).toEqual([16, 16, 8]);
    expect(await Promise.all(asked)).toEqual(expected);
  });

  it('are asked for by shard in a cluster', async () => {
    const generations = of(true);
    expect(await Promise.all(ids.map((id) => generations.of(id)))).toEqual(expected);
    expect(questions).toHaveLength(new Set(ids.map(shardOf)).size);
  });

  it('fail for those alone whose question failed', async () => {
    fail = true;
    const generations = of(false);
    const outcomes = await Promise.allSettled(ids.map((id) => generations.of(id)));
    expect(outcomes.map(({ status }) => status === 'rejected')).toEqual(ids.map((_, i) => i >= 16 && i < 32));
  });
});
