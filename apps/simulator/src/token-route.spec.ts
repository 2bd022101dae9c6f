import { decodeJwt, decodeProtectedHeader } from 'jose';
import { start, startRig, type Rig } from '../test/rig';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

const grant = async (response: Response | Promise<Response>) => (await (await response).json()) as any;
const refusal = { data: null, errors: [{ code: 320001, message: 'Invalid client key and secret' }] };

describe('the documented token route', () => {
  it('answers a good pair with a token, ttlSeconds and a request id', async () => {
    const response = await rig.ask();
    expect(response.status).toBe(200);
    expect(response.headers.get('x-cap-requestid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await grant(response)).toEqual({ data: { accessToken: expect.any(String), ttlSeconds: 300 }, errors: null });
  });

  it('issues an RS256 JWT with the claims of the published sample', async () => {
    await rig.control('PUT', '/clients/acme/modes', {});
    const token = await rig.token();
    expect(decodeProtectedHeader(token)).toEqual({ kid: 'k1', alg: 'RS256' });
    expect(decodeJwt(token)).toEqual({
      iss: 'Capillary',
      sub: 'name_acme',
      client_id: 21,
      org_id: 1115,
      iat: start / 1000,
      exp: start / 1000 + 300,
      jti: expect.stringMatching(/^.{22}$/),
      token_use: 'token_access',
    });
  });

  it('issues a new token on every call and leaves the older ones alive', async () => {
    const [first, second] = [await rig.token(), await rig.token()];
    expect(first).not.toBe(second);
    expect((await rig.use(first)).status).toBe(200);
    expect((await rig.use(second)).status).toBe(200);
  });

  it.each([
    ['a wrong secret', { key: 'acme', secret: 'no' }, 'acme'],
    ['an unknown key', { key: 'nobody', secret: 's1' }, 'unknown'],
    ['a missing field', { key: 'acme' }, 'acme'],
    ['a body that is no object', [], 'unknown'],
  ])('refuses %s with 320001 and counts it', async (_what, credentials, key) => {
    const response = await rig.ask(credentials);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual(refusal);
    const { body } = await rig.control('GET', `/clients/${key}`);
    expect(body).toMatchObject({ calls: 1, issued: 0, refused: 1 });
  });

  it('answers 415 to a wrong content type and 400 to malformed JSON, and counts both', async () => {
    const url = `${rig.url}/v3/oauth/token/generate`;
    const form = await fetch(url, { method: 'POST', body: new URLSearchParams({ key: 'acme', secret: 's1' }) });
    const headers = { 'content-type': 'application/json' };
    const malformed = await fetch(url, { method: 'POST', headers, body: '{' });
    const none = await fetch(url, { method: 'POST' });
    expect([form.status, malformed.status, none.status]).toEqual([415, 400, 415]);
    const { body } = await rig.control('GET', '/clients/unknown');
    expect(body.outcomes).toEqual({ status_415: 2, status_400: 1 });
  });
});

describe('modes of the token route', () => {
  it.each([200, 400, 401, 403])('refusal_status %d: the refusal comes with that status', async (status) => {
    await rig.modes({ refusal_status: status });
    const response = await rig.ask({ key: 'acme', secret: 'no' });
    expect([response.status, await response.json()]).toEqual([status, refusal]);
  });

  it('flapping_refusal: every nth call is refused although the pair is good', async () => {
    await rig.modes({ flapping_refusal: 3 });
    const codes = [];
    for (let call = 0; call < 6; call += 1) codes.push((await grant(rig.ask())).errors?.[0].code ?? 0);
    expect(codes).toEqual([0, 0, 320001, 0, 0, 320001]);
  });

  it('single_live: a new token kills the older one', async () => {
    await rig.modes({ single_live: true });
    const [first, second] = [await rig.token(), await rig.token()];
    expect((await rig.use(first)).status).toBe(401);
    expect((await rig.use(second)).status).toBe(200);
    const { body } = await rig.control('POST', '/tokens/inspect', { token: first });
    expect(body).toMatchObject({ alive: false, superseded: true });
  });

  it('same_token_again: the same token with its remaining life, or with a full life claimed', async () => {
    await rig.modes({ same_token_again: 'remaining' });
    const first = await grant(rig.ask());
    rig.time += 100_000;
    expect(await grant(rig.ask())).toEqual({ ...first, data: { ...first.data, ttlSeconds: 200 } });
    await rig.modes({ same_token_again: 'full' });
    expect(await grant(rig.ask())).toEqual(first);
    rig.time += 200_000;
    expect((await grant(rig.ask())).data.accessToken).not.toBe(first.data.accessToken);
    expect(await rig.outcomes()).toEqual({ issued: 2, same_token: 2 });
  });

  it('reset_after_issuing: the token counts as issued, the caller gets a reset', async () => {
    await rig.modes({ single_live: true });
    const held = await rig.token();
    await rig.modes({ single_live: true, reset_after_issuing: { times: 1 } });
    await expect(rig.ask()).rejects.toThrow('fetch failed');
    const { body } = await rig.control('GET', '/clients/acme');
    expect(body).toMatchObject({ calls: 2, issued: 2, outcomes: { issued: 1, reset_after_issuing: 1 } });
    expect((await rig.use(held)).status).toBe(401);
    expect((await rig.ask()).status).toBe(200);
  });

  it.each([0, -1, 1e12, 2.5, '300', null, true, [300], 'soon'])('ttl_value %j: claimed as it is', async (value) => {
    await rig.modes({ ttl_value: { value } });
    expect((await grant(rig.ask())).data.ttlSeconds).toEqual(value);
  });

  it('ttl_value: only the claim lies, the token and its exp do not', async () => {
    await rig.modes({ ttl_value: 99_999 });
    const { accessToken } = (await grant(rig.ask())).data;
    expect(decodeJwt(accessToken).exp).toBe(start / 1000 + 300);
    rig.time += 300_000;
    expect((await rig.use(accessToken)).status).toBe(498);
  });

  it('ttl_missing: there is no ttlSeconds', async () => {
    await rig.modes({ ttl_missing: true });
    expect(Object.keys((await grant(rig.ask())).data)).toEqual(['accessToken']);
  });

  it('real_ttl_seconds: the token dies earlier than answer and exp say', async () => {
    await rig.modes({ real_ttl_seconds: 60 });
    const { accessToken, ttlSeconds } = (await grant(rig.ask())).data;
    expect([ttlSeconds, decodeJwt(accessToken).exp]).toEqual([300, start / 1000 + 300]);
    rig.time += 59_999;
    expect((await rig.use(accessToken)).status).toBe(200);
    rig.time += 1;
    expect((await rig.use(accessToken)).status).toBe(498);
  });

  it('clock_skew_seconds: iat and exp are shifted, the life is not', async () => {
    await rig.modes({ clock_skew_seconds: -3600 });
    const token = await rig.token();
    expect(decodeJwt(token)).toMatchObject({ iat: start / 1000 - 3600, exp: start / 1000 - 3300 });
    expect((await rig.use(token)).status).toBe(200);
  });

  it('raw_control_character: the payload is not valid JSON, as in the published sample', async () => {
    await rig.modes({ raw_control_character: true });
    const token = await rig.token();
    expect(() => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString())).toThrow('control character');
    expect((await rig.use(token)).status).toBe(200);
  });

  it('cheap_tokens: as long as a signed one, with the same claims', async () => {
    const cheap = await rig.token();
    await rig.control('DELETE', '/clients/acme/modes');
    const signed = await rig.token();
    expect(cheap).toHaveLength(signed.length);
    expect(decodeJwt(cheap)).toEqual({ ...decodeJwt(signed), jti: expect.any(String) });
  });
});

describe('a secret rotated in mid-flight', () => {
  it('is judged as of the arrival of the call, and refused from the next call on', async () => {
    await rig.modes({ latency_ms: { value: 150, times: 1 } });
    const inFlight = rig.ask();
    while ((await rig.control('GET', '/clients/acme')).body.calls === 0);
    await rig.control('PUT', '/clients/acme', { secret: 's2' });
    expect((await grant(inFlight)).errors).toBeNull();
    expect(await grant(rig.ask())).toEqual(refusal);
    expect((await grant(rig.ask({ key: 'acme', secret: 's2' }))).errors).toBeNull();
  });
});
