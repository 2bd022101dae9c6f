import { setImmediate as immediate } from 'node:timers/promises';
import { systemClock } from '#providers';
import { Commits } from './commits';
import { shardOf } from './redis-keys';
import type { Reply } from './redis-replies';
import { token } from './stores.fixture';

const ids = Array.from({ length: 120 }, (_, i) => `client-${i}`);

describe('commits', () => {
  let commands: string[][];
  const commitsOf = (onlyOneShard = false) => {
    commands = [];
    return new Commits({
      store: async (keys) => {
        commands.push(keys.filter((_, i) => i % 4 === 1).map((key) => key.split(':').at(-1)!));
        return commands.at(-1)!.map(() => ['stored', 0]) as unknown as Reply;
      },
      ...{ onlyOneShard, gatherMs: 20, clock: systemClock, clockShiftMs: () => 0, onRefused: () => undefined },
    });
  };
  const add = (commits: Commits, clientId: string) =>
    commits.add({ clientId, generation: '1', latenessMs: 0 }, token(Date.now()));

  it('go at once where one comes alone, or is waited for, and together where many follow', async () => {
    const commits = commitsOf();
    const all = ids.map((id) => add(commits, id));
    expect(commands).toEqual([[ids[0]]]);
    all.push(commits.add({ clientId: 'asked for', generation: '1' }, token(Date.now())));
    expect(commands).toEqual([[ids[0]], ['asked for']]);
    await Promise.all(all);
    expect(commands.slice(2).map(({ length }) => length)).toEqual([...Array<number>(7).fill(16), 7]);
  });

  it('are told a few in one turn of the event loop', async () => {
    const commits = commitsOf();
    let told = -1; // the first went alone
    const all = ids.slice(0, 11).map((id) => add(commits, id).then(() => told++));
    const steps = new Set<number>();
    while (told < 10) {
      await immediate();
      steps.add(told);
    }
    await Promise.all(all);
    expect([...steps].filter((step) => step > 0)).toEqual([4, 8, 10]);
  });

  it('of one command are all of one shard where they must be', async () => {
    const commits = commitsOf(true);
    await Promise.all(ids.map((id) => add(commits, id)));
    expect(commands.every((some) => new Set(some.map(shardOf)).size === 1)).toBe(true);
    expect(commands.flat().sort()).toEqual([...ids].sort());
  });
});
