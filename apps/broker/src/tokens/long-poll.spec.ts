import { setTimeout as delay } from 'node:timers/promises';
import { TwoDoors } from '../lane/lane.fixture';

describe('GET /v1/clients/{name}/token?wait=', () => {
  let doors: TwoDoors;
  const open = async (options?: { cut?: boolean }): Promise<string> => {
    doors = new TwoDoors(options);
    await doors.open();
    return (await doors.tokens.get('eu')).generation;
  };
  afterEach(() => doors.close());

  const ask = async (
    query: string,
    etag?: string,
    { name = 'eu', key = 'good', signal }: { name?: string; key?: string; signal?: AbortSignal } = {},
  ) => {
    const response = await fetch(`http://127.0.0.1:${doors.lanePort}/v1/clients/${name}/token${query}`, {
      headers: { authorization: `Bearer ${key}`, ...(etag && { 'if-none-match': etag }) },
      ...(signal && { signal }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text ? JSON.parse(text) : text };
  };
  /** Asks with what is current, and comes back once it waits. */
  const wait = async (generation: string, by: { key?: string; signal?: AbortSignal } = {}) => {
    const before = doors.waiting;
    const answer = ask('?wait=30', `"${generation}"`, by);
    answer.catch(() => undefined);
    while (doors.waiting === before) await delay(5);
    return { answer };
  };

  it('answers with the next token as soon as there is one, wherever it was fetched', async () => {
    const { answer } = await wait(await open());
    doors.accessToken = 'next';
    expect(await doors.elsewhere.renewNow('eu')).toMatchObject({ outcome: 'renewed' });
    expect(await answer).toMatchObject({ status: 200, body: { access_token: 'next' } });
    expect(doors.waiting).toBe(0);
  });

  it('answers with it although no news arrives', async () => {
    const { answer } = await wait(await open({ cut: true }));
    doors.accessToken = 'next';
    await doors.elsewhere.renewNow('eu');
    expect(await answer).toMatchObject({ status: 200, body: { access_token: 'next' } });
  });

  it('confirms the token that the caller has when the time is up, and not before', async () => {
    const generation = await open();
    const since = performance.now();
    expect(await ask('?wait=1', `"${generation}"`)).toMatchObject({ status: 304, body: '' });
    expect(performance.now() - since).toBeGreaterThanOrEqual(990);
    expect([doors.waiting, doors.counted]).toEqual([0, ['not_modified']]);
    expect(doors.reads).toHaveLength(1);
  });

  it('keeps no place for who left while his token was fetched', async () => {
    await open();
    let answer = (): void => undefined;
    doors.provider = new Promise((resolve) => (answer = resolve));
    await doors.tokens.purge('eu');
    const calls = doors.calls;
    const gone = new AbortController();
    const left = ask('?wait=60', '*', { signal: gone.signal }).catch(() => 'left');
    while (doors.calls === calls) await delay(5);
    gone.abort();
    expect(await left).toBe('left');
    const connections = () => new Promise((resolve) => doors.server.getConnections((_, count) => resolve(count)));
    while ((await connections()) !== 0) await delay(5);
    answer();
    await doors.tokens.get('eu');
    for (let i = 0; i < 10; i++) await delay(5);
    expect([doors.waiting, doors.counted]).toEqual([0, []]);
  });

  it('lets nobody wait who has not said what he has, or has another token', async () => {
    const generation = await open();
    for (const has of [undefined, '"1"', `"${generation}0"`]) {
      expect(await ask('?wait=60', has)).toMatchObject({ status: 200, body: { access_token: 'a-token' } });
    }
    expect(await ask('?wait=60', '"1"', { name: 'off' })).toMatchObject({ status: 409 });
    expect(await ask('?wait=60', '"1"', { name: 'nobody' })).toMatchObject({ status: 404 });
  });

  it('tells who waits that he may no longer have the token', async () => {
    const generation = await open();
    const revoked = await wait(generation);
    doors.change('good', undefined);
    expect(await revoked.answer).toMatchObject({ status: 401 });
    doors.change('good', 'service');
    const disabled = await wait(generation);
    doors.clients.set('eu', { clientId: 'eu', enabled: false });
    doors.change('good', 'service');
    expect(await disabled.answer).toMatchObject({ status: 409 });
    doors.clients.set('eu', { clientId: 'eu', enabled: true });
    doors.change('good', 'service');
    const ungranted = await wait(generation);
    doors.clients.delete('eu');
    doors.change('good', 'service');
    expect(await ungranted.answer).toMatchObject({ status: 404 });
    expect(doors.waiting).toBe(0);
  });

  it('has room for so many, a quarter of it for each service, says so to the next one, and gives a place back', async () => {
    const generation = await open();
    const services = ['good', 'other', 'third', 'fourth', 'late'];
    for (const key of services.slice(1)) doors.change(key, 'service');
    const refusedTo = async (key: string) => {
      const { status, headers, body } = await ask('?wait=30', `"${generation}"`, { key });
      expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'too_many_waiting', '1']);
      return body.detail;
    };
    const leaving = new AbortController();
    await wait(generation, { signal: leaving.signal });
    await wait(generation);
    expect(await refusedTo('good')).toContain('of this service');
    expect(await ask('', `"${generation}"`)).toMatchObject({ status: 304 });
    for (const key of services.slice(1, 4)) for (let i = 0; i < 2; i++) await wait(generation, { key });
    expect(doors.waiting).toBe(doors.places);
    expect(await refusedTo('late')).not.toContain('of this service');
    leaving.abort();
    while (doors.waiting === doors.places) await delay(5);
    await wait(generation);
    expect(doors.waiting).toBe(doors.places);
  });

  it('answers everybody when the server closes', async () => {
    const generation = await open();
    const waiting = [await wait(generation), await wait(generation)];
    await doors.closeLane();
    for (const { answer } of waiting) {
      const { status, headers } = await answer;
      expect([status, headers.get('connection')]).toEqual([304, 'close']);
    }
    expect(doors.waiting).toBe(0);
  });

  it.each(['0', '61', '-1', '1.5', '', 'x', '1&wait=2'])('refuses wait=%s', async (value) => {
    await open();
    expect(await ask(`?wait=${value}`)).toMatchObject({
      status: 400,
      body: { code: 'validation_failed', errors: [{ pointer: '/wait' }] },
    });
  });
});
