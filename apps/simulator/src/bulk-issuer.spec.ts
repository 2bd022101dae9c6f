import { type Rig, start, startRig } from '../test/rig';
import { CallsPerSecond } from './calls-per-second';

describe('bulk issuing', () => {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig({ bulk: { ttlSeconds: 30, tokenBytes: 900 } });
  });
  afterEach(() => rig.close());

  const issue = async (key: string) => ((await (await rig.ask({ key, secret: 'any' })).json()) as any).data;
  const claims = (token: string) => JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

  it('gives any key, registered or not, a token of its own with the length and the life as told', async () => {
    const issued = await Promise.all(Array.from({ length: 50 }, (_, i) => issue(`nobody-${i}`)));
    expect(new Set(issued.map(({ accessToken }) => accessToken)).size).toBe(50);
    for (const { accessToken, ttlSeconds } of issued) {
      expect(accessToken).toHaveLength(900);
      expect(ttlSeconds).toBe(30);
    }
    rig.time += 5_000;
    expect(claims((await issue('later')).accessToken)).toMatchObject({
      iat: start / 1_000 + 5,
      exp: start / 1_000 + 36, // rounded up
    });
  });

  it('tells how many calls came in each second', async () => {
    expect((await rig.control('GET', '/bulk')).body).toMatchObject({ issued: 0, from: null, calls_per_second: [] });
    for (const calls of [2, 0, 1]) {
      for (let i = 0; i < calls; i++) await issue('acme');
      rig.time += 1_000;
    }
    const { body } = await rig.control('GET', '/bulk');
    expect(body).toEqual({ ttl_seconds: 30, token_bytes: 900, issued: 3, from: start, calls_per_second: [2, 0, 1, 0] });
    await rig.control('DELETE', '/bulk');
    expect((await rig.control('GET', '/bulk')).body).toMatchObject({ issued: 0, from: null, calls_per_second: [] });
  });

  it('leaves every other path to the simulator as it is', async () => {
    expect((await rig.control('GET', '/clients/acme')).body).toMatchObject({ calls: 0, ttl_seconds: 300 });
    expect((await rig.use((await issue('acme')).accessToken)).status).toBe(401); // no ledger knows this token
    expect((await fetch(`${rig.url}/v3/oauth/token/generate`)).status).not.toBe(200);
  });
});

describe('without bulk issuing', () => {
  it('a key that is not registered is refused, and there are no bulk counts', async () => {
    const rig = await startRig();
    expect(await (await rig.ask({ key: 'nobody', secret: 'any' })).json()).toMatchObject({ data: null });
    expect((await rig.control('GET', '/bulk')).status).toBe(404);
    await rig.close();
  });
});

describe('calls per second', () => {
  it('a long run takes no more memory: what is older than three hours is forgotten', () => {
    const calls = new CallsPerSecond();
    for (let second = 0; second < 4 * 3_600; second += 1_000) calls.count(start + second * 1_000);
    const { from, counts } = calls.upTo(start + 4 * 3_600_000);
    expect(counts).toHaveLength(3 * 3_600);
    expect(from).toBe(start + 3_600_000 + 1_000);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(11); // 4,000 s to 14,000 s
  });

  it('a clock that goes back loses no call', () => {
    const calls = new CallsPerSecond();
    calls.count(start);
    calls.count(start - 5_000);
    expect(calls.upTo(start - 5_000)).toEqual({ from: start, counts: [2] });
  });
});
