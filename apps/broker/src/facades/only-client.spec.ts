import type { GrantedKind } from '#registry';
import { CannotOpen } from '#vault';
import { OnlyClient } from './only-client';

const kind = (provider: string, clients: number, example = provider): GrantedKind => ({
  ...{ provider, providerVersion: 1, clients, example },
});

describe('the only client of a service', () => {
  let now = 0;
  let answers: (() => Promise<GrantedKind[]>)[] = [];
  let asked = 0;
  const load = async (provider: string) => {
    if (provider === 'broken') throw new CannotOpen('it was changed by hand');
    return { definition: { id: provider } } as never;
  };
  const kinds = () => answers[Math.min(asked++, answers.length - 1)]!();
  const made = () => new OnlyClient({ kinds }, { load }, () => now);
  beforeEach(() => {
    [now, asked] = [0, 0];
  });
  const gives = (...rows: GrantedKind[][]) => (answers = rows.map((each) => async () => each));

  it('is named where there is one, and counted where there are none or more', async () => {
    gives([kind('a', 1, 'eu')], [], [kind('a', 1), kind('b', 2)]);
    for (const meant of [{ client: 'eu' }, { choices: 0 }, { choices: 3 }]) {
      expect(await made().of('s')).toEqual(meant);
    }
  });

  it('is looked for among those that suit, and a definition that cannot be used suits nobody', async () => {
    gives([kind('a', 5), kind('b', 1, 'eu'), kind('broken', 1)]);
    expect(await made().of('s', ({ id }) => id !== 'a')).toEqual({ client: 'eu' });
  });

  it('is asked of the database once a second, whoever asks', async () => {
    gives([kind('a', 1, 'eu')], [kind('a', 2)]);
    const only = made();
    await Promise.all([only.of('s'), only.of('s')]);
    now = 999;
    expect(await only.of('s')).toEqual({ client: 'eu' });
    expect(asked).toBe(1);
    now = 1_000;
    expect(await only.of('s')).toEqual({ choices: 2 });
  });

  it('is asked for less often where the look-up takes long: a service that names no client costs a twentieth of it', async () => {
    const slow = async () => {
      now += 500;
      return [kind('a', 10_000)];
    };
    answers = [slow];
    const only = made();
    await only.of('s');
    now += 9_999;
    await only.of('s');
    expect(asked).toBe(1);
    now += 1;
    await only.of('s');
    expect(asked).toBe(2);
  });

  it('goes on being the one that was known while the database fails or hangs, and is then asked for again', async () => {
    gives([kind('a', 1, 'eu')]);
    const fails = () => Promise.reject(new Error('away'));
    answers.push(fails, () => new Promise(() => undefined));
    const only = made();
    await only.of('s');
    // Once a second, and what hangs is not asked again.
    for (const [at, questions] of [
      [1_000, 2],
      [1_999, 2],
      [2_000, 3],
      [2_999, 3],
      [3_000, 3],
    ]) {
      now = at!;
      expect([at, await only.of('s'), asked]).toEqual([at, { client: 'eu' }, questions]);
    }
    answers = [fails];
    await expect(made().of('s')).rejects.toThrow('away');
  });
});
