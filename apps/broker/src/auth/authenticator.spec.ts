import type { Access, AccessEpoch, KeyAccess, ServiceAccess } from '#registry';
import { ApiKeys, KeyRing, newMasterKey } from '#vault';
import { forgedKey } from '../../test/forged-key';
import { Authenticator } from './authenticator';
import { Proxies } from './proxies';
import { Seldom } from './seldom';

/** A database that hangs or errs when told to: a real one cannot be made to, to the millisecond. */
class ScriptedAccess {
  asked: string[] = [];
  readonly stored = new Map<string, KeyAccess>();
  readonly granted = new Map<string, ServiceAccess>();
  marks = { found: '1', missing: '1', prefixes: '1' };
  answer: <T>(value: T) => Promise<T> = async (value) => value;

  epoch(): Promise<AccessEpoch> {
    this.asked.push('epoch');
    return this.answer({ ...this.marks });
  }

  prefixes(): Promise<{ epoch: AccessEpoch; prefixes: string[] }> {
    this.asked.push('prefixes');
    return this.answer({ epoch: { ...this.marks }, prefixes: [...this.stored.keys()] });
  }

  keys(prefixes: string[]) {
    this.asked.push(...prefixes);
    return this.answer({ epoch: { ...this.marks }, found: pick(this.stored, prefixes) });
  }

  grants(pairs: string[]) {
    this.asked.push(...pairs);
    const ofReader = pairs.filter((pair) => pair.startsWith('reader ')).map((pair) => [pair, {}] as const);
    return this.answer({ epoch: { ...this.marks }, found: new Map([...ofReader, ...pick(this.granted, pairs)]) });
  }

  /** Something of what there was is another, or gone. */
  change(): void {
    this.marks = {
      found: `${this.marks.found}+`,
      missing: `${this.marks.missing}+`,
      prefixes: `${this.marks.prefixes}+`,
    };
  }

  takeAsked(): string[] {
    return this.asked.splice(0);
  }
}

describe('the authenticator', () => {
  const apiKeys = new ApiKeys(KeyRing.parse(newMasterKey('k')));
  let callers = 0;
  const caller = (authorization: string | undefined) => ({ authorization, address: `192.0.2.${callers++ % 250}` });
  const soon = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve, 'waited')));
  const hangs = () => new Promise<never>(() => undefined);
  const errs = () => Promise.reject(new Error('gone'));
  const { key, prefix, ...stored } = apiKeys.mint('tbk');
  const authorization = caller(`Bearer ${key.reveal()}`);
  let now = 0;
  let access: ScriptedAccess;
  let authenticator: Authenticator;

  beforeEach(() => {
    now = 0;
    access = new ScriptedAccess();
    const row = { keyId: '1', stored, expiresAt: null, revokedAt: null, role: null, name: null, service: 'reader' };
    access.stored.set(prefix, row);
    access.granted.set('reader eu', { client: { clientId: 'c', enabled: true } });
    access.granted.set('reader us', {});
    const [seldom, proxies] = [new Seldom(() => undefined), new Proxies([])];
    authenticator = new Authenticator({
      access: access as unknown as Access,
      apiKeys,
      seldom,
      proxies,
      monotonic: () => now,
    });
  });
  const identify = (client = 'eu') => authenticator.identify(authorization, client);
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
    await identify();
    let release: () => void = () => undefined;
    access.answer = (value) => new Promise((resolve) => (release = () => resolve(value)));
    authenticator.doubt();
    const asking = identify(); // is told what holds before the change
    await soon();
    access.answer = async (value) => value;
    access.granted.set('reader eu', {});
    authenticator.doubt();
    release();
    await asking;
    expect(await identify()).toMatchObject({ client: undefined });
  });

  it('goes by what it knew while the database hangs, and after the first caller has no known one wait for it', async () => {
    await Promise.all([identify('eu'), identify('us')]);
    await authenticator.refresh();
    access.change();
    access.stored.clear();
    now = 2_000;
    let answers: (() => void)[] = [];
    access.answer = (value) => new Promise((resolve) => answers.push(() => resolve(value)));
    expect(await identify()).toMatchObject({ principal: { name: 'reader' } });
    for (now = 3_000; now < 10_000; now += 1_000) {
      for (const client of ['eu', 'us'])
        expect(await Promise.race([identify(client), soon()])).toMatchObject({ principal: { name: 'reader' } });
    }
    expect(answers.length).toBeLessThanOrEqual(4); // nor does it pile up questions
    access.answer = async (value) => value;
    for (const answer of answers) answer();
    answers = [];
    await authenticator.refresh(); // it is back, and what it says counts again
    expect(await identify()).toBeNull();
  });

  it('goes by what it knew while the database errs, and lets in nobody whom it does not know', async () => {
    await identify();
    access.answer = errs;
    now = 10_000;
    await expect(authenticator.refresh()).rejects.toThrow('gone');
    expect(identifyNow()).toMatchObject({ principal: { name: 'reader' } });
    await expect(identify('other')).rejects.toThrow('gone');
    const unknown = apiKeys.mint('tbk').key.reveal();
    await expect(authenticator.identify(caller(`Bearer ${unknown}`), 'eu')).rejects.toThrow('gone');
  });

  it('goes on knowing while a lock keeps it from reading again what has changed', async () => {
    await identify();
    await authenticator.refresh();
    access.change();
    now = 900;
    await authenticator.epochs.poll();
    now = 1_500;
    access.answer = hangs;
    expect(await identify()).toMatchObject({ principal: { name: 'reader' } });
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
    const { key: fresh, prefix: its, ...digest } = apiKeys.mint('tbk');
    access.stored.set(its, { ...access.stored.get(prefix)!, keyId: '2', stored: digest });
    access.change();
    expect(await authenticator.identify(caller(`Bearer ${fresh.reveal()}`), 'eu')).toMatchObject({
      principal: { keyId: '2' },
    });
  });

  it('lets a key end at its time, though nothing has changed in the database', async () => {
    access.stored.set(prefix, { ...access.stored.get(prefix)!, expiresAt: new Date(Date.now() + 60_000) });
    const known = (await identify())!;
    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 60_001);
    expect(authenticator.stillKnown(known)).toBe(false);
    expect(identifyNow()).toBeNull();
    clock.mockRestore();
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

function pick<V>(from: Map<string, V>, ids: string[]): Map<string, V> {
  return new Map(ids.flatMap((id) => (from.has(id) ? [[id, from.get(id)!] as const] : [])));
}
