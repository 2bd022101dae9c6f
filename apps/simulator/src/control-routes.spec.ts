import { CallLog } from './call-log';
import { start, startRig, type Rig } from '../test/rig';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

describe('counts', () => {
  it('say exactly how often and when each client asked, and what it got', async () => {
    await rig.token();
    rig.time += 1000;
    await rig.ask({ key: 'acme', secret: 'no' });
    await rig.ask({ key: 'nobody', secret: 'no' });
    const { body: client } = await rig.control('GET', '/clients/acme');
    expect(client).toMatchObject({
      calls: 2,
      issued: 1,
      refused: 1,
      recent_calls: [
        { at: start, outcome: 'issued', ended_at: start },
        { at: start + 1000, outcome: 'refused', ended_at: start + 1000 },
      ],
      recent_tokens: [{ issued_at: start, expires_at: start + 300_000 }],
    });
    expect(JSON.stringify(client)).not.toContain('s1');
    const { body: all } = await rig.control('GET', '/clients');
    expect(all.totals).toEqual({ calls: 3, issued: 1, refused: 2 });
    expect(all.clients).toMatchObject([{ key: 'acme', calls: 2 }]);
    expect(all.unknown).toMatchObject({ calls: 1 });
  });

  it('go back to zero without touching clients, tokens or modes', async () => {
    const token = await rig.token();
    expect((await rig.control('DELETE', '/calls')).status).toBe(204);
    const { body } = await rig.control('GET', '/clients/acme');
    expect(body).toMatchObject({ calls: 0, issued: 0, outcomes: {}, recent_calls: [], modes: { cheap_tokens: {} } });
    expect((await rig.use(token)).status).toBe(200);
  });

  it('remember the latest 10,000 calls and go on counting', () => {
    const log = new CallLog();
    for (let at = 0; at < 10_001; at += 1) log.finish(log.begin(at), 'issued', at);
    expect(log.counts()).toEqual({ calls: 10_001, outcomes: { issued: 10_001 } });
    expect([log.latest().length, log.latest()[0]!.at]).toEqual([10_000, 1]);
  });
});

describe('the fate of a token', () => {
  it('can be asked for any moment, past ones too', async () => {
    const token = await rig.token();
    rig.time += 10_000;
    await rig.control('POST', '/clients/acme/revoke');
    const inspect = async (at?: number) => (await rig.control('POST', '/tokens/inspect', { token, at })).body;
    expect(await inspect()).toEqual({
      known: true,
      client: 'acme',
      alive: false,
      issued_at: start,
      expires_at: start + 300_000,
      superseded: false,
      superseded_at: null,
      revoked: true,
      revoked_at: start + 10_000,
      rotations: 0,
    });
    expect((await inspect(start + 9_999)).alive).toBe(true);
    expect((await inspect(start - 1)).alive).toBe(false);
  });

  it('is unknown for a token that was never issued', async () => {
    const { body } = await rig.control('POST', '/tokens/inspect', { token: 'x' });
    expect(body).toMatchObject({ known: false, client: null, alive: false });
  });

  it('follows the clock, which can be moved from outside', async () => {
    const token = await rig.token();
    expect((await rig.control('PUT', '/clock', { advance_seconds: 300 })).body.now).toBe(start + 300_000);
    expect((await rig.use(token)).status).toBe(498);
    await rig.control('PUT', '/clock', { offset_seconds: 0 });
    expect((await rig.control('GET', '/clock')).body).toEqual({ now: start, offset_seconds: 0 });
  });
});

describe('clients', () => {
  it('keep what a change does not name', async () => {
    const token = await rig.token();
    const changed = await rig.control('PUT', '/clients/acme', { secret: 's2' });
    expect(changed).toMatchObject({ status: 200, body: { ttl_seconds: 300, issued: 1, modes: { cheap_tokens: {} } } });
    expect((await rig.use(token)).status).toBe(200);
    expect((await rig.control('PUT', '/clients/new', { secret: 's', org_id: 9 })).status).toBe(201);
  });

  it('take their tokens with them when deleted', async () => {
    const token = await rig.token();
    expect((await rig.control('DELETE', '/clients/acme')).status).toBe(204);
    expect((await rig.use(token)).status).toBe(401);
    expect((await rig.control('GET', '/clients/acme')).status).toBe(404);
  });
});

describe('mistakes', () => {
  it.each([
    ['PUT', '/modes', { outrage: 503 }, 400, 'the body has no "outrage"; it knows: latency_ms, '],
    ['PUT', '/modes', { outage: 418 }, 400, '/outage/status must be one of 500, 502, 503, 504'],
    ['PUT', '/modes', { outage: { time: 3 } }, 400, '/outage has no "time"; it knows: status, body, times'],
    ['PUT', '/modes', { latency_ms: true }, 400, "/latency_ms must have required property 'value'"],
    ['PUT', '/modes', { latency_ms: 'long' }, 400, '/latency_ms/value must be integer'],
    ['PUT', '/modes', { no_access: true }, 400, 'the body has no "no_access"'],
    ['PUT', '/modes', [], 400, 'the body must be object'],
    ['PUT', '/resource/modes', { single_live: true }, 400, 'the body has no "single_live"'],
    ['PUT', '/clients/acme', { modes: { silense: true } }, 400, '/modes has no "silense"'],
    ['PUT', '/clients/acme', { ttl: 5 }, 400, 'the body has no "ttl"; it knows: secret, ttl_seconds'],
    ['PUT', '/clients/new', {}, 400, 'a new client needs a "secret"'],
    ['PUT', '/clients/unknown', { secret: 's' }, 409, '"unknown" counts calls of no client'],
    ['PUT', '/clients/nobody/modes', {}, 404, 'no client is registered under the key "nobody"'],
    ['POST', '/clients/nobody/revoke', undefined, 404, 'no client is registered under the key "nobody"'],
    ['POST', '/tokens/inspect', {}, 400, "the body must have required property 'token'"],
    ['PUT', '/clock', {}, 400, 'the body must NOT have fewer than 1 properties'],
    ['GET', '/mode', undefined, 404, 'there is no GET /_control/mode'],
  ])('%s %s %j is refused with a message that helps', async (method, path, sent, status, message) => {
    const answer = await rig.control(method, path, sent);
    expect(answer).toEqual({ status, body: { error: expect.any(String), message: expect.stringContaining(message) } });
  });

  it('leave the modes as they were', async () => {
    await rig.control('PUT', '/modes', { outage: 503 });
    await rig.control('PUT', '/modes', { outrage: 503 });
    expect((await rig.control('GET', '/modes')).body).toEqual({ outage: { status: 503 } });
  });
});
