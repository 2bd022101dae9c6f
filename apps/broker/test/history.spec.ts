import { once } from 'node:events';
import { connect } from 'node:net';
import { runSql } from '../../../test/harness/database';
import { ask, type Fleet, startFleet, until } from './fleet';
import { listen } from './listening';

const adminHeader = (fleet: Fleet) => ({ authorization: `Bearer ${fleet.env['BOOTSTRAP_ADMIN_KEY']}` });

describe('the history for people', () => {
  let fleet: Fleet;
  let viewer: Record<string, string>;
  const url = (path: string, broker = 0) => `${fleet.brokers[broker]!.url}${path}`;
  const sql = (text: string) => runSql(fleet.database.url, text);
  const fail = (name: string, modes: object) => fleet.control('PUT', `/clients/key-of-${name}/modes`, modes);
  const heal = (name: string) => fleet.control('DELETE', `/clients/key-of-${name}/modes`);

  beforeAll(async () => {
    fleet = await startFleet(2);
    const { body } = await fleet.admin('POST', '/v1/admin-keys', { name: 'viewer', role: 'viewer' });
    viewer = { authorization: `Bearer ${body.key}` };
  });
  afterAll(() => fleet.stop());

  describe('attempts', () => {
    it('of a client are told, the newest first, and a viewer may read them', async () => {
      await fleet.register('tried');
      await fleet.admin('POST', '/v1/clients/tried/renewals');
      await fail('tried', { outage: { status: 503 } });
      await fleet.admin('POST', '/v1/clients/tried/renewals');
      const { status, body } = await ask(url('/v1/clients/tried/renewals', 1), 'GET', undefined, viewer);
      expect(status).toBe(200);
      expect(body.items[0]).toMatchObject({
        ...{ outcome: 'failed', reason: 'provider_unavailable', provider_status: 503 },
        ...{ at: expect.stringMatching(/Z$/), duration_ms: expect.any(Number), message: expect.any(String) },
      });
      expect(body.items.slice(1).map(({ outcome }: { outcome: string }) => outcome)).toEqual(['renewed', 'renewed']);
      await heal('tried');
    });

    it('are none of a client that is not there', async () => {
      expect((await fleet.admin('GET', '/v1/clients/nobody/renewals')).status).toBe(404);
      expect((await fleet.admin('POST', '/v1/clients/nobody/renewals')).status).toBe(404);
    });
  });

  describe('renew now', () => {
    it('fetches a new token, tells what came of it, and stands in the audit', async () => {
      await fleet.register('eager');
      const key = await fleet.service('eager-reader', 'eager');
      const before = (await fleet.token('eager', key)).body.access_token;
      const answer = await fleet.admin('POST', '/v1/clients/eager/renewals');
      expect(answer).toMatchObject({
        status: 200,
        body: { outcome: 'renewed', condition: 'fresh', last_attempt: { outcome: 'renewed' } },
      });
      expect(answer.body.runway_seconds).toBeGreaterThan(200);
      expect((await fleet.calls('eager')).calls).toBe(2);
      await until(
        () => fleet.token('eager', key),
        ({ body }) => body.access_token !== before,
      );
      const audit = (await fleet.admin('GET', '/v1/audit?target=client:eager')).body.items;
      expect(audit[0]).toMatchObject({ action: 'client.renewal_requested', actor: 'admin:bootstrap' });
    });

    it('says so where the provider refuses, with 200', async () => {
      await fleet.register('refused');
      await fail('refused', { flapping_refusal: { every: 1 } });
      expect(await fleet.admin('POST', '/v1/clients/refused/renewals')).toMatchObject({
        status: 200,
        body: {
          outcome: 'failed',
          condition: 'failing',
          last_attempt: { outcome: 'failed', reason: 'credentials_refused' },
        },
      });
      await heal('refused');
    });

    it('is refused of a disabled client, without a call or an audit entry', async () => {
      await fleet.register('off');
      await fleet.admin('POST', '/v1/clients/off/disable');
      const answer = await fleet.admin('POST', '/v1/clients/off/renewals');
      expect(answer).toMatchObject({ status: 409, body: { code: 'client_disabled' } });
      expect((await fleet.calls('off')).calls).toBe(1);
      expect(
        await sql(`SELECT 1 FROM audit_entries WHERE action = 'client.renewal_requested' AND target = 'client:off'`),
      ).toEqual([]);
    });
  });

  describe('events', () => {
    it('reach a viewer who listens at another replica, once each and in order', async () => {
      const listener = await listen(url('/v1/events', 1), viewer);
      expect(listener.status).toBe(200);
      expect(listener.headers.get('content-type')).toContain('text/event-stream');
      await fleet.register('moody');
      await fail('moody', { outage: { status: 500 } });
      await fleet.admin('POST', '/v1/clients/moody/renewals');
      await listener.hears((heard) => heard.some(({ data }) => data.client === 'moody'));
      await heal('moody');
      await fleet.admin('POST', '/v1/clients/moody/disable');
      const of = (client: string) => listener.heard.filter(({ data }) => data.client === client);
      await listener.hears(() => of('moody').length >= 2);
      expect(listener.text()).toMatch(/^retry: \d+\n\n/);
      expect(of('moody')).toMatchObject([
        {
          event: 'client.condition_changed',
          data: {
            provider: 'capillary',
            detail: { condition: 'failing', before: 'fresh', reason: expect.any(String) },
          },
        },
        { data: { detail: { condition: 'disabled', before: 'failing' } } },
      ]);
      expect(of('moody').every(({ id, data, event }) => id === data.seq && event === data.kind)).toBe(true);
      const ids = listener.heard.map(({ id }) => BigInt(id));
      expect(ids).toEqual([...ids].sort((a, b) => (a < b ? -1 : 1)));
      listener.leave();
    });

    it('that happened while nobody listened are told from Last-Event-ID on, and then what happens', async () => {
      const { body } = await ask(url('/v1/events?order=desc&limit=1'), 'GET', undefined, {
        ...viewer,
        accept: 'application/json',
      });
      const last = body.items[0].seq as string;
      await fleet.register('late');
      await fleet.admin('POST', '/v1/clients/late/disable');
      const listener = await listen(url('/v1/events?client=late'), { ...viewer, 'last-event-id': last });
      await listener.hears((heard) => heard.length === 1);
      await fleet.admin('POST', '/v1/clients/late/enable');
      const heard = await listener.hears((all) => all.length >= 2);
      expect(heard.map(({ data }) => data.detail.condition).slice(0, 2)).toEqual(['disabled', 'renewing']);
      listener.leave();
    });

    it('are read in pages of one client too, from either end', async () => {
      const page = (query: string) =>
        ask(url(`/v1/events?client=moody&limit=1${query}`), 'GET', undefined, {
          ...viewer,
          accept: 'application/json',
        });
      const first = (await page('')).body;
      expect(first.items).toMatchObject([{ client: 'moody', detail: { condition: 'failing' } }]);
      const second = (await page(`&after=${first.next_cursor}`)).body;
      expect(second).toMatchObject({ items: [{ detail: { condition: 'disabled' } }] });
      expect(second.next_cursor).toBeUndefined();
      expect((await page('&order=desc')).body.items).toEqual(second.items);
    });

    it('are refused to who asks for them in a way that means nothing', async () => {
      for (const [query, headers] of [
        ['?after=x', {}],
        ['?limit=0', {}],
        ['?order=up', {}],
        ['', { 'last-event-id': '7; DROP TABLE events' }],
      ] as const) {
        const answer = await ask(url(`/v1/events${query}`), 'GET', undefined, { ...viewer, ...headers });
        expect(answer).toMatchObject({ status: 400, body: { code: 'validation_failed' } });
      }
    });

    it('are not streamed to who asks for a page and does not say so: that is refused, with a hint', async () => {
      for (const [query, pointers] of [
        ['?order=desc', ['/order']],
        ['?client=moody&limit=5&order=asc', ['/order', '/limit']],
      ] as const) {
        const answer = await ask(url(`/v1/events${query}`), 'GET', undefined, { ...viewer, accept: '*/*' });
        expect(answer).toMatchObject({
          status: 400,
          body: { code: 'validation_failed', hint: expect.stringContaining('Accept: application/json') },
        });
        expect(answer.body.errors.map(({ pointer }: { pointer: string }) => pointer)).toEqual(pointers);
      }
    });

    it('are told of no more to a key that was revoked', async () => {
      const made = (await fleet.admin('POST', '/v1/admin-keys', { name: 'gone', role: 'viewer' })).body;
      const listener = await listen(url('/v1/events'), { authorization: `Bearer ${made.key}` });
      expect((await fleet.admin('DELETE', `/v1/admin-keys/${made.id}`)).status).toBe(204);
      await listener.ended;
      expect(listener.status).toBe(200);
    }, 40_000);
  });

  it('the summary says when services will begin to fail, and why', async () => {
    await fleet.register('doomed', { ttlSeconds: 60 });
    await fail('doomed', { outage: { status: 500 } });
    await fleet.admin('POST', '/v1/clients/doomed/renewals');
    const { body } = await until(
      () => fleet.admin('GET', '/v1/summary'),
      ({ body: now }) => now.least_runway.some((row: any) => row.client === 'doomed' && row.condition === 'failing'),
    );
    const row = body.least_runway.find(({ client }: { client: string }) => client === 'doomed');
    expect(row).toMatchObject({ condition: 'failing', reason: expect.any(String) });
    expect(Date.parse(row.at) - Date.now()).toBeLessThanOrEqual(row.runway_seconds * 1_000 + 1_000);
    expect(row.runway_seconds).toBeGreaterThan(0);
    expect(body.providers).toEqual([]);
    await heal('doomed');
  });

  it('a process ends in time when it is told to, while there are listeners, also one that takes nothing', async () => {
    await sql(
      `INSERT INTO events (kind, detail) SELECT 'test', jsonb_build_object('x', repeat('x', 1000)) FROM generate_series(1, 20000)`,
    );
    const broker = fleet.brokers[0]!;
    const listeners = await Promise.all([1, 2, 3].map(() => listen(`${broker.url}/v1/events`, adminHeader(fleet))));
    const { hostname, port } = new URL(broker.url);
    const deaf = connect(Number(port), hostname).on('error', () => undefined);
    const { authorization } = adminHeader(fleet);
    deaf.write(`GET /v1/events?after=0 HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    await once(deaf, 'readable');
    const told = Date.now();
    expect(await broker.kill('SIGTERM')).toBe(0);
    expect(Date.now() - told).toBeLessThan(10_000);
    await Promise.all(listeners.map(({ ended }) => ended));
    deaf.destroy();
  });
});
