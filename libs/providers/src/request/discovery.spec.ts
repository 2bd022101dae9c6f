import { readDefinition } from '../language/read-definition';
import { Conversation } from '../testing/conversation.fixture';
import { createTokenRequester } from './token-requester';

const talk = Conversation.forThisFile();

const { definition } = readDefinition(`
id: discovered
inputs: { issuer: { format: url }, key: { secret: true } }
discovery: { issuer: '{{inputs.issuer}}' }
steps: [{ id: s, method: POST, url: '{{discovery.token_endpoint}}', body: { form: { key: '{{inputs.key}}', aud: '{{discovery.issuer}}' } } }]
token: { value: '{{steps.s.body.t}}', expiry: [{ fixed_s: 60 }] }
present: {}
`);

let metadata: (path: string) => { status: number; body?: unknown };
let time = 0;
const clock = { now: () => Date.now(), monotonic: () => time };
let requester: ReturnType<typeof createTokenRequester>;

beforeEach(() => {
  time = 0;
  talk.answer = (request, response) => {
    const { status, body } = request.method === 'GET' ? metadata(request.url!) : { status: 200, body: { t: 'tok' } };
    response.writeHead(status).end(JSON.stringify(body));
  };
  requester = createTokenRequester({ clock, allowedOrigins: [talk.provider.origin] });
});
afterEach(() => requester.close());

const issuer = (path = '/tenant') => `${talk.provider.origin}${path}`;
const told = (more: object = {}) => ({ issuer: issuer(), token_endpoint: issuer('/oauth/token'), ...more });
const ask = (path = '/tenant') => requester.requestToken(definition, { issuer: issuer(path), key: 'canary' });
const paths = () => talk.received.map(({ method, url }) => `${method} ${url}`);

describe("an issuer's metadata", () => {
  it('tells the token endpoint, is kept for an hour, and read again after that', async () => {
    metadata = () => ({ status: 200, body: told() });
    await ask();
    await ask();
    expect(paths()).toEqual(['GET /tenant/.well-known/openid-configuration', 'POST /oauth/token', 'POST /oauth/token']);
    expect(talk.received[1]!.body).toBe(`key=canary&aud=${encodeURIComponent(issuer())}`);
    time = 3_600_001;
    await ask();
    expect(paths().filter((path) => path.startsWith('GET'))).toHaveLength(2);
  });

  it('is found where RFC 8414 puts it, too', async () => {
    metadata = (path) => (path.startsWith('/.well-known/oauth') ? { status: 200, body: told() } : { status: 404 });
    await ask();
    expect(paths()[1]).toBe('GET /.well-known/oauth-authorization-server/tenant');
  });

  it('serves from an older copy while the issuer is away', async () => {
    metadata = () => ({ status: 200, body: told() });
    await ask();
    time = 3_600_001;
    metadata = () => ({ status: 503 });
    expect((await ask()).accessToken.reveal()).toBe('tok');
  });

  it.each<[string, () => { status: number; body?: unknown }, string]>([
    [
      'of another issuer',
      () => ({ status: 200, body: told({ issuer: 'https://evil.example' }) }),
      'provider_misconfigured',
    ],
    [
      'without an issuer',
      () => ({ status: 200, body: { token_endpoint: issuer('/oauth/token') } }),
      'provider_misconfigured',
    ],
    ['without a token endpoint', () => ({ status: 200, body: { issuer: issuer() } }), 'provider_misconfigured'],
    [
      'with a private token endpoint',
      () => ({ status: 200, body: told({ token_endpoint: 'https://10.0.0.1/t' }) }),
      'provider_misconfigured',
    ],
    [
      'with a plain http token endpoint',
      () => ({ status: 200, body: told({ token_endpoint: 'http://acme.example/t' }) }),
      'provider_misconfigured',
    ],
    [
      'with a token endpoint that is no text',
      () => ({ status: 200, body: told({ token_endpoint: { a: 1 } }) }),
      'provider_misconfigured',
    ],
    ['that is not there', () => ({ status: 404 }), 'provider_misconfigured'],
    ['that is forbidden', () => ({ status: 403 }), 'provider_misconfigured'],
    ['that fails', () => ({ status: 500 }), 'provider_unavailable'],
    ['that redirects', () => ({ status: 302 }), 'provider_misconfigured'],
    ['that is a list', () => ({ status: 200, body: [] }), 'provider_misconfigured'],
  ])('%s sends no secret anywhere', async (_, answer, code) => {
    metadata = answer;
    await expect(ask()).rejects.toMatchObject({ code });
    expect(paths().some((path) => path.startsWith('POST'))).toBe(false);
  });

  it('holds nobody up with an issuer of 60,000 slashes', async () => {
    const slashes = `https://a.example${'/'.repeat(60_000)}x`;
    const started = performance.now();
    metadata = () => ({ status: 200, body: told({ issuer: slashes }) });
    await expect(ask()).rejects.toMatchObject({ code: 'provider_misconfigured' });
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
