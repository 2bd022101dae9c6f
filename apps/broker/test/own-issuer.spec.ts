import { acme, type Room, startRoom } from './own-definitions';

/** Two steps, and a token that is presented in a cookie and a query, with something else that the issuer tells. */
const session = acme('session', {
  id: 'session',
  steps: [
    {
      ...{
        id: 'login',
        method: 'POST',
        url: '{{inputs.base_url}}/login',
        body: { json: { secret: '{{inputs.secret}}' } },
      },
      query: { client: '{{inputs.client}}' },
    },
    {
      id: 'token',
      method: 'POST',
      url: '{{inputs.base_url}}/token',
      headers: { 'x-session': '{{steps.login.body.session}}' },
    },
  ],
  token: {
    value: '{{steps.token.body.access_token}}',
    outputs: { instance_url: '{{steps.token.body.instance_url}}' },
    expiry: [{ at: '{{steps.token.body.expires_at}}' }],
  },
  present: {
    headers: { 'X-Instance': '{{outputs.instance_url}}' },
    query: { session: '{{token}}' },
    cookies: { SID: '{{token}}' },
  },
});

describe('an issuer that an admin described', () => {
  let room: Room;
  beforeAll(async () => {
    room = await startRoom();
    room.issuer.answer = ({ url }) =>
      url.startsWith('/login')
        ? { body: { session: 'canary-session-1' } }
        : {
            body: {
              access_token: 'token.of.7',
              instance_url: 'https://eu.acme.example',
              expires_at: new Date(Date.now() + 300_000).toISOString(),
            },
          };
  });
  afterAll(() => room.close());

  it('is added, tried, and hands out a token with all that a call has to carry', async () => {
    expect(await room.create(session)).toMatchObject({
      status: 201,
      body: { id: 'session', version: 1, warnings: [] },
    });
    const tried = await room.fleet.admin('POST', '/v1/connection-tests', {
      provider: 'session',
      inputs: room.inputs('c'),
    });
    expect(tried.body).toMatchObject({
      ok: true,
      steps: [
        {
          id: 'login',
          request: { method: 'POST', url: `${room.issuer.url}/login?client=c`, body: '{"secret":"[secret]"}' },
          answer: { status: 200, body: '{"session":"[secret]"}' },
        },
        {
          id: 'token',
          request: { headers: { 'x-session': expect.not.stringContaining('canary') } },
          answer: { status: 200 },
        },
      ],
      extracted: { token: '[token, 10 characters]', outputs: { instance_url: 'https://eu.acme.example' } },
    });
    await room.register('c', 'session');
    const { status, body } = await room.fleet.token('c', room.key);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      access_token: 'token.of.7',
      headers: { Cookie: 'SID=token.of.7', 'X-Instance': 'https://eu.acme.example' },
      query: { session: 'token.of.7' },
      cookies: { SID: 'token.of.7' },
      outputs: { instance_url: 'https://eu.acme.example' },
    });
    expect(body.expires_in).toBeGreaterThan(250);
    // The other replica has it from Redis.
    expect((await room.fleet.token('c', room.key, { broker: 1 })).body).toMatchObject({
      query: { session: 'token.of.7' },
    });
  });
});
