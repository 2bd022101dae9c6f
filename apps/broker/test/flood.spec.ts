import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { type Answer, ask, type Fleet, startFleet } from './fleet';
import { forgedKey } from './forged-key';

describe('a flood of bad keys', () => {
  let fleet: Fleet;
  let key: string;
  beforeAll(async () => {
    fleet = await startFleet(1, { TRUSTED_PROXIES: '127.0.0.1' });
    await fleet.register('eu');
    key = await fleet.service('reader', 'eu');
    expect((await fleet.token('eu', key)).status).toBe(200);
  }, 60_000);
  afterAll(() => fleet.stop());

  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } });
  const knock = (times: number, bad: () => string, address: () => string) =>
    Promise.all(Array.from({ length: times }, () => fleet.token('eu', bad(), from(address()))));
  const count = (answers: Answer[], wanted: number) => answers.filter(({ status }) => status === wanted).length;

  it('is slowed down by address, whatever an X-Forwarded-For in front of the right one says, and good keys are not', async () => {
    let i = 0;
    const answers = await knock(300, forgedKey, () => `198.51.100.${i++ % 250}, 203.0.113.1`);
    expect(count(answers, 401) + count(answers, 429)).toBe(300);
    expect(count(answers, 401)).toBeLessThan(200);
    const slowed = answers.find(({ status }) => status === 429)!;
    expect(slowed.body).toMatchObject({ code: 'too_many_requests', hint: expect.any(String) });
    expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await fleet.token('eu', key, from('203.0.113.1'))).status).toBe(200);
    expect((await fleet.token('eu', forgedKey(), from('203.0.113.2'))).status).toBe(401);
  });

  it('that hangs up instead of waiting is let go, and counted all the same', async () => {
    const address = '203.0.113.61';
    await knock(150, forgedKey, () => address);
    const { hostname, port } = new URL(fleet.brokers[0]!.url);
    const knockAndGo = async () => {
      const socket = connect(Number(port), hostname);
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk));
      const head = ['GET /v1/clients/eu/token HTTP/1.1', 'Host: x', `X-Forwarded-For: ${address}`];
      socket.end([...head, `Authorization: Bearer ${forgedKey()}`, '', ''].join('\r\n'));
      await once(socket, 'close');
      return answer;
    };
    const answers = await Promise.all(Array.from({ length: 50 }, knockAndGo));
    expect(answers.filter((answer) => answer === '').length).toBeGreaterThan(30);
    expect(answers.filter((answer) => answer.includes(' 429 '))).toEqual([]);
    const after = await knock(50, forgedKey, () => address);
    expect(count(after, 429)).toBeGreaterThan(30);
    expect((await fleet.token('eu', key, from(address))).status).toBe(200);
  });

  it('for one key is slowed down from wherever it comes, and the key itself works', async () => {
    let i = 0;
    const forged = () => forgedKey(key.slice(0, 12));
    const answers = await knock(100, forged, () => `192.0.2.${i++}`);
    expect(count(answers, 429)).toBeGreaterThan(50);
    expect((await fleet.token('eu', key, from('192.0.2.1'))).status).toBe(200);
    expect((await fleet.token('eu', forgedKey(), from('192.0.2.1'))).status).toBe(401);
  });

  it('is slowed down at the other doors, each of which says so in its own way', async () => {
    const broker = fleet.brokers[0]!.url;
    const slowed = async (address: string, open: (headers: Record<string, string>) => Promise<Answer>) => {
      const answers = await Promise.all(Array.from({ length: 200 }, () => open({ 'x-forwarded-for': address })));
      return answers.find(({ status }) => status === 429);
    };
    const admin = await slowed('203.0.113.71', (headers) =>
      fleet.admin('GET', '/v1/clients', undefined, { authorization: `Bearer ${forgedKey()}`, ...headers }),
    );
    expect(admin).toMatchObject({ body: { code: 'too_many_requests' } });
    const form = { grant_type: 'client_credentials', client_id: 'reader', scope: 'client:eu' };
    const oauth = await slowed('203.0.113.72', (headers) => {
      const body = new URLSearchParams({ ...form, client_secret: forgedKey() }).toString();
      return ask(`${broker}/oauth/token`, 'POST', body, {
        'content-type': 'application/x-www-form-urlencoded',
        ...headers,
      });
    });
    expect(oauth).toMatchObject({ body: { error: 'temporarily_unavailable' } });
    expect(oauth!.headers.get('retry-after')).not.toBeNull();
    const capillary = await slowed('203.0.113.73', (headers) =>
      ask(`${broker}/v3/oauth/token/generate`, 'POST', { key: 'reader/eu', secret: forgedKey() }, headers),
    );
    expect(capillary).toMatchObject({ body: { data: null, errors: [expect.anything()] } });
  });

  it('is told apart from two credentials and from none, which are refused and counted', async () => {
    const raw = (headers: string[]) =>
      new Promise<number>((resolve, reject) => {
        const { port } = new URL(fleet.brokers[0]!.url);
        request(
          { host: '127.0.0.1', port, path: '/v1/clients/eu/token', headers: ['Host', 'x', ...headers] as never },
          (answer) => {
            answer.resume();
            resolve(answer.statusCode!);
          },
        )
          .on('error', reject)
          .end();
      });
    const good = ['Authorization', `Bearer ${key}`];
    expect(await raw(good)).toBe(200);
    expect(await raw([...good, ...good])).toBe(401);
    expect(await raw(['authorization', 'Bearer x', ...good])).toBe(401);
    expect(await raw(['X-Forwarded-For', '203.0.113.78'])).toBe(401);
    const { body } = await ask(`${fleet.brokers[0]!.url}/metrics`, 'GET', undefined, {});
    for (const reason of ['missing', 'malformed', 'unknown_key', 'wrong_key', 'throttled'])
      expect(body).toMatch(new RegExp(`^tokenbroker_refusals_total\\{reason="${reason}"\\} [1-9]`, 'm'));
    expect(body).toMatch(/^tokenbroker_refusals_total\{reason="jwt_claims"\} 0$/m);
  });
});
