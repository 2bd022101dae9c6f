import { fastify, type FastifyInstance } from 'fastify';
import type { ServableToken } from '#tokens';
import { TokenUnavailable } from '#tokens';
import type { Caller, Credentials } from '../auth/authenticator';
import { Problem } from '../problem';
import { TokenAnswers, type TokenRead } from '../tokens/token-answer';
import { registerCapillaryRoute } from './capillary.route';
import { registerOAuthRoute } from './oauth.route';

const type = (name: string) => `urn:ietf:params:oauth:token-type:${name}`;
const grant_type = 'urn:ietf:params:oauth:grant-type:token-exchange';
const jwt = (service: string) => `eyJ9.${service}.sig`;

/** Takes `eyJ9.{service}.sig` for a JWT of the service, and `key-of-{service}` for its key. */
async function identify({ authorization = '' }: Credentials, clientName = ''): Promise<Caller | null> {
  if (authorization.includes('flood')) {
    throw new Problem('database_unavailable', 'Too much.', { headers: { 'retry-after': '7' } });
  }
  const name = /^Bearer (?:eyJ9\.(\w+)\.sig|key-of-(\w+))$/.exec(authorization)?.slice(1).find(Boolean);
  if (name === undefined || name === 'nobody') return null;
  const principal: Caller['principal'] =
    name === 'root' ? { kind: 'admin', keyId: 'k', name, role: 'admin' } : { kind: 'service', keyId: 'k', name };
  return { principal, ...(clientName === 'eu' && { client: { clientId: 'id-of-eu', enabled: true } }) };
}

describe('token exchange', () => {
  let server: FastifyInstance;
  let url: string;
  const reads: TokenRead[] = [];
  const token = {
    clientId: 'id-of-eu',
    generation: '7',
    accessToken: 'T',
    tokenType: 'Bearer',
    scope: 'a b',
    headers: {} as Record<string, string>,
  };
  let get: () => Promise<ServableToken>;
  beforeAll(async () => {
    server = fastify();
    const answers = new TokenAnswers({
      authenticator: {} as never,
      tokens: { peek: () => undefined, get: () => get(), runwaySeconds: () => 42 } as never,
      metrics: { served: () => undefined } as never,
      reads: { note: (read) => reads.push(read) },
    });
    const parts = { authenticator: { identify }, answers, onlyClient: { of: async () => ({ client: 'eu' }) } };
    registerOAuthRoute(server, parts);
    registerCapillaryRoute(server, parts);
    url = await server.listen({ host: '127.0.0.1', port: 0 });
  });
  afterAll(() => server.close());
  beforeEach(() => (get = async () => token as never));

  const exchange = async (body: Record<string, string>, headers: Record<string, string> = {}) => {
    const form = { grant_type, subject_token: jwt('pos'), subject_token_type: type('jwt'), resource: 'eu', ...body };
    const answer = await fetch(`${url}/oauth/token`, { method: 'POST', body: new URLSearchParams(form), headers });
    return { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.json() };
  };

  it.each([
    ['resource', { resource: 'urn:token-broker:client:eu' }],
    ['audience', { resource: '', audience: 'eu' }],
    ['scope', { resource: '', scope: 'client:eu' }],
    ['nothing, where one is granted', { resource: '' }],
    ['all of them', { audience: 'https://b.example/v1/clients/eu', scope: 'client:eu' }],
  ])('gives a service the brokered token for a JWT of its own, the client named by %s', async (_, names) => {
    for (const name of ['jwt', 'access_token', 'id_token']) {
      expect(await exchange({ ...names, subject_token_type: type(name) })).toMatchObject({
        status: 200,
        body: {
          access_token: 'T',
          issued_token_type: type('access_token'),
          token_type: 'Bearer',
          expires_in: 42,
          scope: 'a b',
        },
      });
    }
  });

  it('notes each read', async () => {
    reads.length = 0;
    await exchange({});
    expect(reads).toEqual([
      { service: 'pos', keyId: 'k', clientId: 'id-of-eu', client: 'eu', generation: '7', at: expect.any(Number) },
    ]);
  });

  it('takes the authentication of the same service besides', async () => {
    const basic = `Basic ${Buffer.from('pos:key-of-pos').toString('base64')}`;
    expect((await exchange({}, { authorization: basic })).status).toBe(200);
    expect((await exchange({ client_id: 'pos', client_secret: 'key-of-pos' })).status).toBe(200);
    expect((await exchange({ client_id: 'pos' })).status).toBe(200);
  });

  it.each<[string, Record<string, string>, number, string]>([
    ['no subject_token', { subject_token: '' }, 400, 'invalid_request'],
    ['no subject_token_type', { subject_token_type: '' }, 400, 'invalid_request'],
    ['a subject_token_type that is not taken', { subject_token_type: type('saml2') }, 400, 'invalid_request'],
    ['a JWT that is not valid', { subject_token: jwt('nobody') }, 400, 'invalid_request'],
    ['a key in place of a JWT', { subject_token: 'key-of-pos' }, 400, 'invalid_request'],
    ['what an admin has', { subject_token: jwt('root') }, 400, 'invalid_request'],
    ['another requested_token_type', { requested_token_type: type('jwt') }, 400, 'invalid_request'],
    ['an actor', { actor_token: jwt('pos'), actor_token_type: type('jwt') }, 400, 'invalid_request'],
    ['client_id of another service', { client_id: 'other' }, 400, 'invalid_request'],
    ['key of another service', { client_id: 'other', client_secret: 'key-of-other' }, 400, 'invalid_request'],
    ['a wrong key besides', { client_id: 'pos', client_secret: 'key-of-other' }, 401, 'invalid_client'],
    ['a client that is not granted', { resource: 'us' }, 400, 'invalid_target'],
    ['resource and audience that disagree', { audience: 'us' }, 400, 'invalid_request'],
  ])('refuses %s', async (_, body, status, error) => {
    const read = reads.length;
    expect(await exchange(body)).toMatchObject({ status, body: { error } });
    expect(reads.length).toBe(read);
  });

  it('is the one way for a JWT: as a secret it is refused, wherever a secret is shown', async () => {
    const grant = { grant_type: 'client_credentials', client_id: 'pos' };
    const as = (secret: string) => exchange({ ...grant, client_secret: secret });
    const basic = (secret: string) => {
      return exchange(grant, { authorization: `Basic ${Buffer.from(`pos:${secret}`).toString('base64')}` });
    };
    const capillary = async (secret: string) => {
      const body = JSON.stringify({ key: 'pos/eu', secret });
      const headers = { 'content-type': 'application/json' };
      const { status } = await fetch(`${url}/v3/oauth/token/generate`, { method: 'POST', headers, body });
      return { status };
    };
    for (const show of [as, basic]) {
      expect((await show('key-of-pos')).status).toBe(200);
      expect(await show(jwt('pos'))).toMatchObject({ status: 401, body: { error: 'invalid_client' } });
    }
    token.headers['x-cap-api-oauth-token'] = 'T';
    expect((await capillary('key-of-pos')).status).toBe(200);
    expect((await capillary(jwt('pos'))).status).toBe(401);
  });

  it('passes on when to come back, whoever says so', async () => {
    const flood = await exchange({ client_id: 'pos', client_secret: 'flood' });
    expect(flood).toMatchObject({ status: 503, headers: { 'retry-after': '7' } });
    get = () => Promise.reject(new TokenUnavailable('renewing', 'not "yet" …', 9));
    expect(await exchange({})).toMatchObject({
      status: 503,
      headers: { 'retry-after': '9' },
      body: { error: 'temporarily_unavailable', error_description: "Not 'yet' ...." },
    });
    get = () => Promise.reject(new Error('a secret detail'));
    const { status, body } = await exchange({});
    expect({ status, body }).toEqual({
      status: 500,
      body: { error: 'server_error', error_description: expect.not.stringContaining('secret detail') },
    });
  });
});
