import { start, startRig, type Rig } from '../test/rig';

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.close());

const statusOf = async (response: Response) => {
  const { response: body } = (await response.json()) as any;
  return [response.status, body.status.code, body.status.message];
};

describe('the resource endpoint', () => {
  it.each(['/v1.1/customer/get', '/v2/customers/lookup', '/v3/points'])(
    'echoes at %s what reached it, and never the token',
    async (path) => {
      const token = await rig.token();
      const headers = {
        'X-CAP-API-ATTRIBUTION-ENTITY-TYPE': 'STORE_CODE',
        'X-CAP-API-ATTRIBUTION-ENTITY-CODE': 'blr-7',
        'content-type': 'application/json',
      };
      const response = await rig.use(token, `${path}?id=7`, { method: 'PATCH', headers, body: '{"a":1}' });
      const text = await response.text();
      expect(text).not.toContain(token);
      expect(JSON.parse(text)).toMatchObject({
        response: { status: { success: 'true', code: '200' } },
        client: 'acme',
        method: 'PATCH',
        path,
        query: 'id=7',
        attribution: { entity_type: 'STORE_CODE', entity_code: 'blr-7' },
        headers: { 'content-type': 'application/json', 'x-cap-api-oauth-token': '[token]' },
        body: '{"a":1}',
      });
    },
  );

  it('refuses an invalid or missing token with 401 "Unauthorized"', async () => {
    expect(await statusOf(await rig.use('nonsense'))).toEqual([401, '401', 'Unauthorized']);
    expect(await statusOf(await fetch(`${rig.url}/v2/customers`))).toEqual([401, '401', 'Unauthorized']);
    const { body } = await rig.control('GET', '/clients/unknown');
    expect(body.resource).toEqual({ calls: 2, outcomes: { invalid: 2 } });
  });

  it('refuses an expired token with 498 and the moment of its death in Indian time', async () => {
    const token = await rig.token();
    rig.time += 300_000;
    const message = 'Token expired at 2030-01-01T05:35:00.000+0530';
    expect(await statusOf(await rig.use(token))).toEqual([498, '498', message]);
  });

  it('refuses a token that was revoked early', async () => {
    const token = await rig.token();
    expect((await rig.control('POST', '/clients/acme/revoke')).body).toEqual({ revoked: 1 });
    expect(await statusOf(await rig.use(token))).toEqual([401, '401', 'Unauthorized']);
  });

  it('invalid_status and expired_status: the body stays, the HTTP status changes', async () => {
    const token = await rig.token();
    await rig.control('PUT', '/resource/modes', { invalid_status: 200, expired_status: 401 });
    rig.time += 300_000;
    expect((await statusOf(await rig.use('nonsense'))).slice(0, 2)).toEqual([200, '401']);
    expect((await statusOf(await rig.use(token))).slice(0, 2)).toEqual([401, '498']);
  });

  it('no_access and access_group: 403, 403/4000, 503/4001', async () => {
    const token = await rig.token();
    const answers = [];
    for (const modes of [{ no_access: true }, { access_group: 4000 }, { access_group: 4001 }]) {
      await rig.control('PUT', '/clients/acme/resource/modes', modes);
      answers.push((await statusOf(await rig.use(token))).slice(0, 2));
    }
    expect(answers).toEqual([
      [403, '403'],
      [403, '4000'],
      [503, '4001'],
    ]);
  });

  it('fails in transport as the token route does, each by its own modes', async () => {
    const token = await rig.token();
    await rig.control('PUT', '/resource/modes', { outage: { status: 502, times: 1 }, truncated: { times: 1 } });
    expect((await rig.ask()).status).toBe(200);
    expect((await rig.use(token)).status).toBe(502);
    await expect((await rig.use(token)).json()).rejects.toThrow(/JSON/);
    expect((await rig.use(token)).status).toBe(200);
    const { body } = await rig.control('GET', '/clients/acme');
    expect(body.resource.outcomes).toEqual({ outage: 1, truncated: 1, ok: 1 });
    expect(body.recent_resource_calls[0]).toEqual({ at: start, outcome: 'outage', ended_at: start });
  });
});
