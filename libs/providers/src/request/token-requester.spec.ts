import { inspect } from 'node:util';
import { type Answer, Conversation, capillary, clientSecret, oauth } from '../testing/conversation.fixture';
import type { ProviderError } from '../failures/errors';
import { readDefinition } from '../language/read-definition';

const talk = Conversation.forThisFile();

describe('Capillary', () => {
  it('is asked as documented, and the token comes ready to send', async () => {
    const before = Date.now();
    const token = await talk.issued({ accessToken: 'tok.1', ttlSeconds: 300 }, capillary, {
      'X-Cap-Requestid': 'req-9',
    });
    expect(talk.received).toHaveLength(1);
    expect(talk.received[0]).toMatchObject({ method: 'POST', url: '/v3/oauth/token/generate' });
    expect(talk.received[0]!.headers).toMatchObject({
      'content-type': 'application/json',
      accept: 'application/json',
    });
    expect(talk.received[0]!.headers).not.toHaveProperty('authorization');
    expect(JSON.parse(talk.received[0]!.body)).toEqual({ key: 'canary-key', secret: clientSecret });
    expect(token.accessToken.reveal()).toBe('tok.1');
    expect(token).toMatchObject({ lifeSeconds: 300, tokenType: 'Bearer', providerRequestId: 'req-9' });
    expect(token.headers).toEqual({
      'X-CAP-API-OAUTH-TOKEN': 'tok.1',
      Accept: 'application/json',
      'Content-Type': 'application/json',
    });
    expect(token.sentAt).toBeGreaterThanOrEqual(before);
    expect(token.sentAt).toBeLessThanOrEqual(Date.now());
  });

  it('gets attribution headers when an entity is given, of type TILL unless said otherwise', async () => {
    talk.answer = { body: { data: { accessToken: 't', ttlSeconds: 9 } } };
    expect((await talk.request(capillary, { entity_code: 'till-1' })).headers).toMatchObject({
      'X-CAP-API-ATTRIBUTION-ENTITY-TYPE': 'TILL',
      'X-CAP-API-ATTRIBUTION-ENTITY-CODE': 'till-1',
    });
  });

  it.each([200, 400, 401, 403])('refuses credentials by its code 320001 with HTTP %d', async (status) => {
    const body = { data: null, errors: [{ code: 320001, message: `Invalid client key and secret ${clientSecret}` }] };
    const refused = await talk.failure({ status, body, headers: { 'x-cap-requestid': 'req-1' } });
    expect(refused).toMatchObject({ code: 'credentials_refused', providerStatus: status, providerRequestId: 'req-1' });
    expect(refused.providerWords).toContain('Invalid client key and secret [secret]');
    expect(refused.hint).toContain('base_url');
  });

  it('is unavailable when it reports any other error inside a 200, even beside a token', async () => {
    const body = { data: { accessToken: 'canary-token' }, errors: [{ code: 1, message: 'later' }] };
    expect(await talk.failure({ body })).toMatchObject({ code: 'provider_unavailable', providerStatus: 200 });
  });
});

describe('generic OAuth 2.0', () => {
  it('authenticates with form-encoded Basic credentials and leaves an absent scope out', async () => {
    const token = await talk.issued(
      { access_token: 'abc', token_type: 'bearer', expires_in: '60', scope: 'a b' },
      oauth,
    );
    const { headers, body, url } = talk.received[0]!;
    expect(url).toBe('/token');
    expect(body).toBe('grant_type=client_credentials');
    expect(headers['content-type']).toBe('application/x-www-form-urlencoded');
    const credentials = Buffer.from(headers.authorization!.replace('Basic ', ''), 'base64').toString();
    expect(credentials).toBe('id%3A1:canary%2Bs3cret%2F%25%3A%C3%BC');
    expect(token).toMatchObject({
      lifeSeconds: 60,
      tokenType: 'Bearer',
      scope: 'a b',
      headers: { Authorization: 'Bearer abc' },
    });
    await talk.request(oauth, { scope: 'x y&z' });
    expect(talk.received[1]!.body).toBe('grant_type=client_credentials&scope=x+y%26z');
  });

  it('refuses a token of a type that it cannot present', async () => {
    const body = { access_token: 'canary-token', token_type: 'mac', expires_in: 60 };
    expect(await talk.failure({ body }, oauth)).toMatchObject({
      code: 'provider_misconfigured',
      message: expect.stringContaining('"mac"'),
    });
  });

  it.each(['invalid_client', 'unauthorized_client', 'invalid_grant', 'invalid_scope'])(
    'is refused by %s',
    async (error) => {
      expect(await talk.failure({ status: 400, body: { error } }, oauth)).toMatchObject({
        code: 'credentials_refused',
      });
    },
  );

  it('does not show the Basic credentials that an answer echoes', async () => {
    const echo: Answer = (req, res) =>
      res.writeHead(500).end(JSON.stringify({ error: `got ${req.headers.authorization}` }));
    expect((await talk.failure(echo, oauth)).providerWords).toBe('{"error":"got Basic [secret]"}');
  });
});

describe('a request', () => {
  it('can take several steps, each naming the answers before it', async () => {
    const { definition } = readDefinition(`
id: two-steps
inputs: { token_url: { format: url }, client_id: {}, client_secret: { secret: true }, note: { optional: true } }
steps:
  - { id: login, method: POST, url: "{{inputs.token_url}}/login", body: { json: { who: "{{inputs.client_id}}", list: ["{{inputs.note}}", 1], deep: { secret: "{{inputs.client_secret}}", note: "{{inputs.note}}" } } } }
  - { id: token, method: GET, url: "{{inputs.token_url}}/{{steps.login.body.path}}", query: { a: "{{steps.login.headers.x-nonce}}", b: "{{inputs.note}}" }, headers: { x-session: "{{steps.login.body.n}}" } }
token: { value: "{{steps.token.body.t}}", expiry: [{ fixed_s: 60 }] }
present: { headers: { x-key: "{{token}}" } }
`);
    talk.answer = (_, res) => res.writeHead(200, { 'x-nonce': 'a&b' }).end('{"path":"p/../q","n":7,"t":"tok"}');
    expect((await talk.request(definition)).headers).toEqual({ 'x-key': 'tok' });
    const [login, token] = talk.received;
    expect(JSON.parse(login!.body)).toEqual({ who: 'id:1', list: [1], deep: { secret: clientSecret } });
    expect(token).toMatchObject({ method: 'GET', url: '/token/p%2F..%2Fq?a=a%26b', body: '' });
    expect(token!.headers['x-session']).toBe('7');
  });

  it('is not sent to a host that only an answer names, and says that the provider has heard of the steps before', async () => {
    const { definition } = readDefinition(`
id: strays
inputs: { token_url: { format: url }, client_id: {}, client_secret: { secret: true } }
steps:
  - { id: login, method: POST, url: "{{inputs.token_url}}", body: { form: { s: "{{inputs.client_secret}}" } } }
  - { id: token, method: GET, url: "{{steps.login.body.next}}/token", hosts: [issuer.example] }
token: { value: "{{steps.token.body.t}}", expiry: [{ fixed_s: 60 }] }
present: {}
`);
    const failed = await talk.failure({ body: { next: 'https://evil.example' } }, definition);
    expect(failed).toMatchObject({ code: 'provider_misconfigured', hint: expect.stringContaining('hosts') });
    expect(failed.message).toMatch(/^the URL of step token must name one of the hosts issuer\.example/);
    expect(failed).not.toHaveProperty('reached');
    expect(talk.received).toHaveLength(1);
  });

  it('is never sent with faulty inputs, nor to an origin that is not allowed', async () => {
    const reject = async (inputs: Record<string, string>, message: RegExp) => {
      const given = { base_url: talk.provider.origin, key: 'canary-key', secret: 'canary-secret', ...inputs };
      const error: ProviderError = await talk.requester.requestToken(capillary, given).catch((caught) => caught);
      expect(error.code).toBe('provider_misconfigured');
      expect(error.failure).toMatchObject({ message: expect.stringMatching(message), reached: false });
      expect(inspect(error, { depth: Infinity })).not.toContain('canary');
    };
    await reject({ secret: 'canary\r\n' }, /^\/inputs\/secret holds a control character/);
    await reject({ base_url: 'http://127.0.0.1:1' }, /ALLOWED_PROVIDER_HOSTS/);
    await reject({ base_url: 'https://evil.example' }, /^\/inputs\/base_url must name one of the hosts/);
    expect(talk.received).toHaveLength(0);
  });

  it('to a name that resolves to a private address is refused before anything is sent, and says how to allow it', async () => {
    const { definition } = readDefinition(`
id: local
inputs: { domain: {}, k: { secret: true } }
steps: [{ id: s, method: POST, url: "https://{{inputs.domain}}/token", body: { form: { k: "{{inputs.k}}" } } }]
token: { value: "{{steps.s.body.t}}", expiry: [{ fixed_s: 60 }] }
present: {}
`);
    for (const domain of ['localhost', '127.0.0.1', 'a@b', 'x/y', 'x:1']) {
      const error: ProviderError = await talk.requester
        .requestToken(definition, { domain, k: 'canary' })
        .catch((caught) => caught);
      expect([domain, error.code]).toEqual([domain, 'provider_misconfigured']);
    }
  });
});
