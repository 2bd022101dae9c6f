import { type Answer, ask, type Fleet, startFleet } from './fleet';

describe('calls of Capillary through the proxy', () => {
  let fleet: Fleet;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet();
    await fleet.register('eu');
    key = await fleet.service('till', 'eu');
    await new Promise((resolve) => setTimeout(resolve, 600)); // a token rests for half a second
  });
  afterAll(() => fleet.stop());

  const call = (path: string, method = 'GET', body?: unknown, headers = {}): Promise<Answer> =>
    ask(`${fleet.brokers[0]!.url}/proxy/eu${path}`, method, body, { authorization: `Bearer ${key}`, ...headers });
  const echoOf = ({ body }: Answer) => body.entity ?? body.data ?? body;

  it('arrive as that client, with the attribution that a call brings', async () => {
    const answer = await call('/v2/customers/lookup?source=INSTORE', 'POST', { mobile: '49' });
    expect(answer.status).toBe(200);
    expect(JSON.stringify(echoOf(answer))).toContain('key-of-eu');
    const type = 'X-CAP-API-ATTRIBUTION-ENTITY-TYPE';
    const attributed = await call('/v2/x', 'GET', undefined, {
      [type]: 'STORE_CODE',
      'X-CAP-API-ATTRIBUTION-ENTITY-CODE': 's7',
    });
    expect(JSON.stringify(attributed.body)).toContain('"entity_type":"STORE_CODE","entity_code":"s7"');
  });

  it.each([
    ['HTTP 401', {}],
    ['HTTP 200 and its body', { invalid_status: 200 }],
  ])('go well at once when Capillary has revoked the token, which it says by %s', async (_, modes) => {
    const name = `revoked-${Object.keys(modes).length}`;
    await fleet.register(name);
    await fleet.admin('POST', '/v1/grants', { service: 'till', client: name });
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    await fleet.control('PUT', '/resource/modes', modes);
    await fleet.control('POST', `/clients/key-of-${name}/revoke`);
    const url = `${fleet.brokers[0]!.url}/proxy/${name}/v2/customers/lookup`;
    const answer = await ask(url, 'POST', { mobile: '49' }, { authorization: `Bearer ${key}` });
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([200, expect.stringContaining(`key-of-${name}`)]);
    expect((await fleet.calls(name)).calls).toBe(2);
  });
});
