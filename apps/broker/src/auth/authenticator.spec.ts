import { Socket } from 'node:net';
import { bootstrapPrefix } from '#registry';
import { forgedKey } from '../../test/forged-key';
import type { Authenticator } from './authenticator';
import { apiKeys, bearer, prefix, ScriptedAccess, withReader } from './authenticator.fixture';

describe('the authenticator', () => {
  let callers = 0;
  const caller = (authorization: string | undefined) => ({ authorization, address: `192.0.2.${callers++ % 250}` });
  const authorization = caller(bearer);
  const soon = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve, 'waited')));
  const errs = () => Promise.reject(new Error('gone'));
  let now = 0;
  let access: ScriptedAccess;
  let authenticator: Authenticator;

  beforeEach(() => {
    now = 0;
    access = new ScriptedAccess();
    authenticator = withReader(access, () => now);
  });
  const identify = (client = 'eu') => authenticator.identify(authorization, client);
  /** Another key of the same service, which there is once it is stored. */
  const mintAnother = () => {
    const { key, prefix: its, ...digest } = apiKeys.mint('tbk');
    const store = () => {
      access.stored.set(its, { ...access.stored.get(prefix)!, keyId: '2', stored: digest });
      access.change();
    };
    return { authorization: `Bearer ${key.reveal()}`, store };
  };
  const identifyNow = (client = 'eu') => authenticator.identifyNow(authorization, client);

  it('asks the database once for any number of requests, and then only whether anything has changed', async () => {
    await Promise.all(Array.from({ length: 100 }, () => identify()));
    expect(access.takeAsked()).toEqual(['prefixes', prefix, 'reader eu']);
    for (now = 0; now < 60_000; now += 250) {
      await authenticator.refresh();
      expect(identifyNow()).toMatchObject({ principal: { name: 'reader' }, client: { clientId: 'c' } });
    }
    expect(new Set(access.takeAsked())).toEqual(new Set(['epoch']));
  });

  it('keeps of a key that it knows no memory but its own', async () => {
    const compared = jest.spyOn(jest.requireActual<typeof import('node:crypto')>('node:crypto'), 'timingSafeEqual');
    await identify();
    expect(await identify()).toMatchObject({ principal: { name: 'reader' } });
    const [kept] = compared.mock.lastCall!;
    compared.mockRestore();
    expect((kept as Buffer).buffer.byteLength).toBe(kept.byteLength);
  });

  it('asks in one query for what is asked for at the same time', async () => {
    await identify();
    let queries = 0;
    access.answer = async (value) => (queries++, value);
    await Promise.all(Array.from({ length: 400 }, (_, i) => identify(`client-${i}`)));
    expect(queries).toBe(1);
  });

  it('tells within a second of a change, and of none without having asked', async () => {
    await authenticator.refresh();
    const before = await identify();
    access.granted.set('reader eu', {});
    access.change();
    now = 999;
    expect(authenticator.stillKnown(before!)).toBe(true);
    now = 1_000;
    expect(authenticator.stillKnown(before!)).toBe(false);
    expect(identifyNow()).toBeUndefined();
    expect(await identify()).toMatchObject({ client: undefined });
  });

  it('reads again what is in use before anybody waits for it, and nothing else', async () => {
    await Promise.all([identify('eu'), identify('us')]);
    await authenticator.refresh();
    now = 200;
    expect(identifyNow()).not.toBeNull();
    access.stored.set('tbk_elsewher', access.stored.get(prefix)!);
    access.change();
    access.takeAsked();
    await authenticator.refresh();
    expect(access.takeAsked()).toEqual(['epoch', prefix, 'reader eu']);
    for (now = 400; now < 2_000; now += 200) {
      await authenticator.refresh();
      expect(identifyNow()).toMatchObject({ client: { clientId: 'c' } });
    }
  });

  it('is the same object for the same caller, as long as it holds', async () => {
    const first = (await identify())!;
    for (now = 0; now < 5_000; now += 500) {
      await authenticator.refresh();
      expect(identifyNow()).toBe(first);
      expect(authenticator.stillKnown(first)).toBe(true);
    }
    authenticator.doubt();
    expect(authenticator.stillKnown(first)).toBe(false);
  });

  it('does not take what was there before a change for what is there now, though the two overlap', async () => {
    const asked: (() => void)[] = [];
    access.answer = (value) => new Promise((resolve) => asked.push(() => resolve(value)));
    const asking = identify(); // is told what holds before the change
    await until(() => asked.length === 1);
    asked.shift()!();
    await until(() => asked.length === 1);
    asked.shift()!();
    await until(() => asked.length === 1);
    access.granted.set('reader eu', {});
    authenticator.doubt();
    access.answer = async (value) => value;
    const askingAfter = identify();
    await soon();
    asked.shift()!();
    expect(await asking).toMatchObject({ client: { clientId: 'c' } });
    expect(await askingAfter).toMatchObject({ client: undefined });
  });

  it('asks again at once after a change in this process, and forgets nobody over it', async () => {
    await identify();
    authenticator.doubt();
    access.answer = errs;
    expect(identifyNow()).toBeUndefined();
    expect(await identify()).not.toBeNull();
    authenticator.doubt();
    access.answer = async (value) => value;
    access.stored.clear();
    expect(await identify()).toBeNull();
  });

  it('looks nothing up for a key that is none, whatever client it names, but the one that an operator chose', async () => {
    for (let i = 0; i < 50; i++)
      expect(await authenticator.identify(caller('Bearer nonsense'), `client-${i}`)).toBeNull();
    expect(access.takeAsked()).toEqual(['bootstrap']);
    expect(await authenticator.identify(caller('Basic nonsense'))).toBeNull();
    expect(await authenticator.identify(caller(undefined))).toBeNull();
    expect(access.takeAsked()).toEqual([]);
  });

  it('looks nothing up for a key of the right form that there is not, nor grants for one that has the wrong secret', async () => {
    await identify();
    access.takeAsked();
    const strangers = Array.from({ length: 200 }, () => caller(`Bearer ${apiKeys.mint('tbk').key.reveal()}`));
    expect(await Promise.all(strangers.map((stranger) => authenticator.identify(stranger, 'eu')))).toEqual(
      strangers.map(() => null),
    );
    // One question for all of them: whether there are new keys.
    expect(access.takeAsked()).toEqual(['epoch']);
    const wrong = forgedKey(prefix);
    for (let i = 0; i < 20; i++)
      expect(await authenticator.identify(caller(`Bearer ${wrong}`), `client-${i}`)).toBeNull();
    expect(access.takeAsked()).toEqual([]);
  });

  it('knows a key that was made a moment ago elsewhere, at its first use', async () => {
    await identify();
    const another = mintAnother();
    another.store();
    expect(await authenticator.identify(caller(another.authorization), 'eu')).toMatchObject({
      principal: { keyId: '2' },
    });
  });

  it('knows it, too, where the prefixes are just being read as they were before it', async () => {
    await identify();
    const make = () => {
      const { key: fresh, prefix: its, ...digest } = apiKeys.mint('tbk');
      access.stored.set(its, { ...access.stored.get(prefix)!, keyId: its, stored: digest });
      access.change();
      return { its, identified: () => authenticator.identify(caller(`Bearer ${fresh.reveal()}`), 'eu') };
    };
    let goOn = (): void => undefined;
    const reading = new Promise<void>((resolve) => (goOn = resolve));
    access.answer = async (value) => {
      if (Array.isArray((value as { prefixes?: unknown }).prefixes)) await reading;
      return value;
    };
    const first = make();
    const before = first.identified();
    await until(() => access.asked.at(-1) === 'prefixes');
    now += 1;
    const second = make();
    const after = second.identified();
    await until(() => access.asked.at(-1) === 'epoch');
    await soon();
    goOn();
    expect(await before).toMatchObject({ principal: { keyId: first.its } });
    expect(await after).toMatchObject({ principal: { keyId: second.its } });
  });

  it('lets a key end at its time, though nothing has changed in the database', async () => {
    access.stored.set(prefix, { ...access.stored.get(prefix)!, expiresAt: new Date(Date.now() + 60_000) });
    const known = (await identify())!;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_001);
    expect(authenticator.stillKnown(known)).toBe(false);
    expect(identifyNow()).toBeNull();
    clock.mockRestore();
  });

  it('cuts no connection of a trusted proxy, however many late answers wait: others come on it', async () => {
    const bad = (address: string) => ({ authorization: 'Bearer bad', address, socket: new Socket() });
    const [direct, proxied] = [bad('192.0.2.1'), bad('10.0.0.1')];
    for (const from of [direct, proxied]) for (let i = 0; i < 100; i++) await authenticator.identify(from);
    for (let i = 0; i < 1_000; i++) void authenticator.identify(direct).catch(() => undefined);
    await soon();
    await expect(authenticator.identify(proxied)).rejects.toMatchObject({ code: 'too_many_requests' });
    expect(proxied.socket.destroyed).toBe(false);
    await expect(authenticator.identify(direct)).rejects.toMatchObject({ code: 'too_many_requests' });
    expect(direct.socket.destroyed).toBe(true);
  });

  describe('once a flood comes from an address', () => {
    const flooded = { authorization: bearer, address: '203.0.113.1' };
    const stranger = (socket = new Socket()) => ({ ...flooded, authorization: `Bearer ${forgedKey()}`, socket });
    const stopTimers = () => jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
    beforeEach(async () => {
      await authenticator.identify(flooded, 'eu');
      await Promise.all(Array.from({ length: 100 }, () => authenticator.identify(stranger())));
      access.takeAsked();
    });
    afterEach(() => jest.useRealTimers());

    it('asks nothing for more of its keys, and knows a new one among them by what it asks anyway', async () => {
      const another = mintAnother();
      const refused = Array.from({ length: 50 }, () => authenticator.identify(stranger()).catch((error) => error.code));
      const known = authenticator.identify({ ...flooded, authorization: another.authorization }, 'eu');
      another.store();
      now += 1;
      await authenticator.refresh();
      expect(await known).toMatchObject({ principal: { keyId: '2' } });
      expect(new Set(await Promise.all(refused))).toEqual(new Set(['too_many_requests']));
      expect(access.takeAsked().filter((asked) => ['epoch', 'prefixes'].includes(asked))).toEqual([
        'epoch',
        'prefixes',
      ]);
    });

    it('has a good key of that address wait for nothing, were it never used here before', async () => {
      const another = mintAnother();
      another.store();
      await authenticator.refresh();
      stopTimers();
      expect(authenticator.identifyNow(flooded, 'eu')).toMatchObject({ principal: { keyId: '1' } });
      const known = authenticator.identify({ ...flooded, authorization: another.authorization }, 'eu');
      await jest.advanceTimersByTimeAsync(50); // in which all who ask for news are gathered
      expect(await known).toMatchObject({ principal: { keyId: '2' } });
    });

    it('has the key that an operator chose wait for nothing either, which is among no prefixes', async () => {
      const chosen = 'chosen-by-an-operator';
      const row = { ...access.stored.get(prefix)!, keyId: '3', stored: apiKeys.digest(chosen) };
      access.stored.set(bootstrapPrefix, row);
      jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask'] });
      let found: unknown;
      void authenticator.identify({ ...flooded, authorization: `Bearer ${chosen}` }, 'eu').then((it) => (found = it));
      for (let i = 0; i < 20 && !found; i++) await soon();
      expect(found).toMatchObject({ principal: { keyId: '3' } });
    });

    it('lets go of who hangs up, and asks nothing for him', async () => {
      stopTimers();
      const [hangsUp, saysNoMore, hasHungUp] = [new Socket(), new Socket(), new Socket()];
      hasHungUp.destroy();
      const answers = [hangsUp, saysNoMore, hasHungUp].map((socket) => authenticator.identify(stranger(socket)));
      hangsUp.destroy();
      saysNoMore.emit('end');
      for (const answer of answers) await expect(answer).rejects.toMatchObject({ code: 'too_many_requests' });
      expect(saysNoMore.destroyed).toBe(true);
      expect(access.takeAsked()).toEqual([]);
    });
  });

  it('keeps the last use of keys until it is written down', async () => {
    await identify();
    const uses = authenticator.takeUses();
    expect([...uses.keys()]).toEqual(['1']);
    authenticator.putBackUses(uses);
    expect(authenticator.takeUses()).toEqual(uses);
    expect(authenticator.takeUses().size).toBe(0);
    authenticator.stillKnown((await identify())!);
    expect([...authenticator.takeUses().keys()]).toEqual(['1']);
  });
});

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}
