import type { Authenticator } from './authenticator';
import { apiKeys, bearer, prefix, ScriptedAccess, withReader } from './authenticator.fixture';

describe('the authenticator, while the database is silent,', () => {
  let callers = 0;
  const caller = (authorization: string | undefined) => ({ authorization, address: `192.0.2.${callers++ % 250}` });
  const authorization = caller(bearer);
  const soon = () => new Promise((resolve) => setImmediate(() => setImmediate(resolve, 'waited')));
  const hangs = () => new Promise<never>(() => undefined);
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
  const identifyNow = (client = 'eu') => authenticator.identifyNow(authorization, client);

  it('goes by the last that it knew, also for who holds on to an answer from before', async () => {
    for (const change of [
      () => access.stored.set(prefix, { ...access.stored.get(prefix)!, revokedAt: new Date() }),
      () => access.granted.set('reader eu', {}),
      () => access.granted.set('reader eu', { client: { clientId: 'c', enabled: false } }),
    ]) {
      await authenticator.refresh();
      const before = (await identify())!;
      change();
      access.change();
      now += 2_000;
      await authenticator.refresh();
      expect(authenticator.stillKnown(before)).toBe(false);
      const after = await identify();
      access.answer = errs;
      now += 2_000;
      await expect(authenticator.refresh()).rejects.toThrow('gone');
      expect(identifyNow()).toEqual(after);
      expect(authenticator.stillKnown(before)).toBe(false);
      access.answer = async (value) => value;
      access.stored.set(prefix, { ...access.stored.get(prefix)!, revokedAt: null });
      access.granted.set('reader eu', { client: { clientId: 'c', enabled: true } });
      access.change();
      now += 2_000;
    }
  });

  it('has read again what nobody used since it was changed, long before the database falls silent', async () => {
    const others = Array.from({ length: 1_200 }, (_, i) => `client-${i}`);
    for (const client of others)
      access.granted.set(`reader ${client}`, { client: { clientId: client, enabled: true } });
    await Promise.all([...others, 'eu'].map((client) => identify(client)));
    await authenticator.refresh();
    access.change();
    await authenticator.refresh(); // what was in use is read again; from here on nothing is in use
    for (const client of others) access.granted.set(`reader ${client}`, {});
    access.change();
    for (let second = 0; second < 10; second++) {
      now += 1_000;
      await authenticator.refresh();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    access.answer = errs;
    now += 10_000;
    await expect(authenticator.refresh()).rejects.toThrow('gone');
    expect(await identify('eu')).toMatchObject({ client: { clientId: 'c' } });
    for (const client of others) expect((await identify(client))!.client).toBeUndefined();
  });

  it('has a key that was revoked while nobody used it stay revoked when the database falls silent', async () => {
    await identify();
    await authenticator.refresh();
    access.change();
    await authenticator.refresh();
    access.stored.set(prefix, { ...access.stored.get(prefix)!, revokedAt: new Date() });
    access.change();
    access.answer = errs;
    now += 500;
    await expect(authenticator.refresh()).rejects.toThrow('gone'); // it comes back, and the change is not forgotten
    access.answer = async (value) => value;
    for (let i = 0; i < 4; i++) {
      now += 1_000;
      await authenticator.refresh();
      await soon();
    }
    access.answer = errs;
    now += 10_000;
    await expect(authenticator.refresh()).rejects.toThrow('gone');
    expect(await identify()).toBeNull();
  });

  it('puts its question again where no answer comes, as on a connection that is dead and does not say so', async () => {
    await identify();
    await authenticator.refresh();
    access.stored.set(prefix, { ...access.stored.get(prefix)!, revokedAt: new Date() });
    access.change();
    let questions = 0;
    access.answer = (value) => (++questions === 1 ? hangs() : Promise.resolve(value));
    await authenticator.refresh();
    now += 2_000;
    expect(await identify()).toBeNull();
    access.answer = () => (questions++, hangs());
    questions = 0;
    void authenticator.refresh();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    expect(questions).toBe(5); // and no more, were it silent for ever
  });

  it('goes on asking where the connections that are made anew are refused, while the dead one says nothing', async () => {
    await authenticator.refresh();
    let questions = 0;
    access.answer = (value) => (++questions === 1 ? hangs() : questions < 4 ? errs() : Promise.resolve(value));
    await Promise.race([authenticator.refresh(), new Promise((resolve) => setTimeout(resolve, 3_000))]);
    expect(questions).toBe(4);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(questions).toBe(4); // and no more, once it is answered
  });

  it('gives up, and tells who waits, where each of its questions is given up in the end', async () => {
    await authenticator.refresh();
    access.answer = () => new Promise((_, reject) => setTimeout(reject, 1_600, new Error('gone')));
    await expect(authenticator.refresh()).rejects.toThrow('gone');
  });

  it('goes by what it heard meanwhile, where its own question is not answered', async () => {
    await identify();
    await authenticator.refresh();
    authenticator.doubt();
    access.answer = hangs;
    const late = identify();
    await soon();
    access.answer = async (value) => value;
    access.stored.set(prefix, { ...access.stored.get(prefix)!, revokedAt: new Date() });
    access.change();
    await authenticator.refresh();
    expect(await late).toBeNull();
    expect(await identify()).toBeNull();
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
});
