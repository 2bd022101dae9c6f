import type { Access } from '#registry';
import { ApiKeys, KeyRing, newMasterKey } from '#vault';
import { Authenticator } from './authenticator';

type Find = Access['find'];

/** A database that hangs or errs when told to: a real one cannot be made to, to the millisecond. */
describe('the authenticator', () => {
  const apiKeys = new ApiKeys(KeyRing.parse(newMasterKey('k')));
  const { key, prefix, ...stored } = apiKeys.mint('tbk');
  const caller = (authorization: string | undefined) => ({ authorization, address: '192.0.2.1' });
  const authorization = caller(`Bearer ${key.reveal()}`);
  const row = { keyId: '1', stored, expiresAt: null, revokedAt: null, role: null, name: null };
  const found = { key: { ...row, service: { id: 's', name: 'reader' } }, client: { clientId: 'c', enabled: true } };
  let now = 0;
  let asked: string[];
  let find: Find;
  let authenticator: Authenticator;

  beforeEach(() => {
    now = 0;
    asked = [];
    find = async () => found;
    const access = {
      find: (...args: Parameters<Find>) => {
        asked.push(args.join(' '));
        return find(...args);
      },
    } as Access;
    authenticator = new Authenticator(access, apiKeys, () => now);
  });
  const identify = () => authenticator.identify(authorization, 'eu');

  it('asks the database once a second for any number of requests', async () => {
    await Promise.all(Array.from({ length: 100 }, identify));
    for (let i = 0; i < 100; i++)
      expect(authenticator.identifyNow(authorization, 'eu')).toMatchObject({ client: { clientId: 'c' } });
    expect(asked).toEqual([`${prefix} eu`]);
    now = 1_000;
    expect(authenticator.identifyNow(authorization, 'eu')).toBeUndefined();
  });

  it('goes by what it knew while the database hangs, and after the first caller has no known one wait for it', async () => {
    await identify();
    await authenticator.identify(authorization, 'us');
    let answer: (value: typeof found | undefined) => void = () => undefined;
    find = () => new Promise((resolve) => (answer = resolve));
    now = 1_000;
    expect(await identify()).toMatchObject({ principal: { name: 'reader' } });
    expect(authenticator.identifyNow(authorization, 'eu')).toMatchObject({ principal: { name: 'reader' } });
    const soon = () => new Promise((resolve) => setImmediate(resolve, 'waited'));
    for (now = 2_000; now < 10_000; now += 1_000) {
      expect(await Promise.race([identify(), soon()])).toMatchObject({ principal: { name: 'reader' } });
      const other = authenticator.identify(authorization, 'us');
      expect(await Promise.race([other, soon()])).toMatchObject({ principal: { name: 'reader' } });
    }
    expect(asked).toHaveLength(4); // nor does it pile up questions
    answer(undefined); // it is back, and what it says counts again
    await soon();
    expect(await identify()).not.toBeNull(); // of the other one it has not been told anything yet
    expect(await authenticator.identify(authorization, 'us')).toBeNull();
  });

  it('goes by what it knew while the database errs, and lets in nobody whom it does not know', async () => {
    await identify();
    find = () => Promise.reject(new Error('gone'));
    now = 1_000;
    expect(await identify()).toMatchObject({ principal: { name: 'reader' } });
    await expect(authenticator.identify(authorization, 'other')).rejects.toThrow('gone');
  });

  it('asks again at once after a change in this process, and forgets nobody over it', async () => {
    await identify();
    authenticator.doubt();
    find = () => Promise.reject(new Error('gone'));
    expect(authenticator.identifyNow(authorization, 'eu')).toBeUndefined();
    expect(await identify()).not.toBeNull();
    authenticator.doubt();
    find = async () => undefined;
    expect(await identify()).toBeNull();
  });

  it('looks nothing up for a key that is none, whatever client it names, but the one that an operator chose', async () => {
    find = async () => undefined;
    for (let i = 0; i < 50; i++)
      expect(await authenticator.identify(caller('Bearer nonsense'), `client-${i}`)).toBeNull();
    expect(asked).toEqual(['bootstrap ']);
    expect(await authenticator.identify(caller('Basic nonsense'))).toBeNull();
    expect(await authenticator.identify(caller(undefined))).toBeNull();
    expect(asked).toHaveLength(1);
  });

  it('keeps the last use of keys until it is written down', async () => {
    await identify();
    const uses = authenticator.takeUses();
    expect([...uses.keys()]).toEqual(['1']);
    authenticator.putBackUses(uses);
    expect(authenticator.takeUses()).toEqual(uses);
    expect(authenticator.takeUses().size).toBe(0);
  });
});
