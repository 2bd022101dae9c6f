import { stringify } from 'yaml';
import { Conversation, oauth } from '../testing/conversation.fixture';
import type { ProviderDefinition } from '../language/definition';
import { readDefinition } from '../language/read-definition';

function jwt(claims: object | string): string {
  const encode = (part: object | string) =>
    Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url');
  return `${encode({ alg: 'RS256' })}.${encode(claims)}.c2ln`;
}

const talk = Conversation.forThisFile();

describe('the life of a token', () => {
  const inTenMinutes = () => Math.floor(Date.now() / 1000) + 600;

  it.each([
    [300, 300],
    ['300', 300],
    [' 300.5 ', 300.5],
    [1, 1],
    [1e12, 2_592_000],
    [null, 300],
    [undefined, 300],
    ['soon', 300],
    ['', 300],
    [{}, 300],
    [true, 300],
  ])('ttlSeconds %j is %d s', async (ttlSeconds, seconds) => {
    expect((await talk.issued({ accessToken: 't', ttlSeconds })).lifeSeconds).toBe(seconds);
  });

  it.each([0, -1, '-300'])('ttlSeconds %j is a failure: dead on arrival', async (ttlSeconds) => {
    const body = { data: { accessToken: 'canary-token', ttlSeconds } };
    expect(await talk.failure({ body })).toMatchObject({
      code: 'provider_misconfigured',
      message: 'the provider issued a token that is already dead',
    });
  });

  it('is shortened by the exp of a JWT, and never prolonged', async () => {
    const exp = inTenMinutes();
    const short = await talk.issued({ accessToken: jwt({ exp }), ttlSeconds: 3600 });
    expect(short.lifeSeconds).toBeGreaterThan(590);
    expect(short.lifeSeconds).toBeLessThanOrEqual(600);
    expect((await talk.issued({ accessToken: jwt({ exp }), ttlSeconds: 60 })).lifeSeconds).toBe(60);
    const alone = await talk.issued({ accessToken: jwt({ exp }) });
    expect(alone.lifeSeconds).toBeCloseTo(exp - alone.sentAt / 1000);
  });

  it('ignores a payload that is no JSON, as in the published sample', async () => {
    for (const payload of ['{"exp": 1,\u0001}', 'null', '[]', '{"exp":"1"}', '{"exp":1e999}', '']) {
      expect((await talk.issued({ accessToken: jwt(payload), ttlSeconds: 60 })).lifeSeconds).toBe(60);
    }
  });

  it('survives clocks that disagree, and not a token that has expired', async () => {
    const exp = inTenMinutes() - 1200;
    expect((await talk.issued({ accessToken: jwt({ exp, iat: exp - 300 }), ttlSeconds: 300 })).lifeSeconds).toBe(300);
    for (const token of [jwt({ exp }), jwt({ exp, iat: exp - 9999 })]) {
      expect(await talk.failure({ body: { data: { accessToken: token, ttlSeconds: 300 } } })).toMatchObject({
        code: 'provider_misconfigured',
      });
    }
  });

  it.each([
    ['ms', 60_000, 60],
    ['min', 2, 120],
    ['auto', 3600, 3600],
    ['auto', 3_600_000, 3600],
    ['s', 1e12, 315_360_000],
  ])('in %s, %d is %d s', async (unit, value, seconds) => {
    const definition = expiring({ in: '{{steps.token.body.l}}', unit });
    expect((await talk.issued({ t: 'x', l: value }, definition)).lifeSeconds).toBe(seconds);
    expect(await talk.failure({ body: { t: 'canary' } }, definition)).toMatchObject({ code: 'provider_misconfigured' });
  });

  it.each([0, -1, '0'])('told as %j means no end where the definition says so', async (value) => {
    const definition = expiring({ in: '{{steps.token.body.l}}', never_if: [0, -1] });
    expect((await talk.issued({ t: 'x', l: value }, definition)).lifeSeconds).toBe(315_360_000);
    expect((await talk.issued({ t: 'x', l: 60 }, definition)).lifeSeconds).toBe(60);
  });

  const soon = (format: (date: Date) => unknown) => () =>
    format(new Date(Math.ceil(Date.now() / 1000) * 1000 + 600_000));
  const withOffset = (date: Date) => `${new Date(date.getTime() + 19_800_000).toISOString().slice(0, -1)}+0530`;

  it.each<[string, unknown, number | undefined]>([
    ['h', 2, 7200],
    ['d', '1.5', 129_600],
    ['hms', '177:05:38', 637_538],
    ['hms', '1.02:03:04', 93_784],
    ['hms', '05:38', 20_280],
    ['dhm', '177:05:38', 15_313_080],
    ['iso', 'PT1H', 3600],
    ['iso', 'P1DT2H3M4.5S', 93_784.5],
    ['iso', 'P1M', undefined],
    ['iso', 'PT', undefined],
    ['hms', 'soon', undefined],
    ['hms', 300, undefined],
    ['iso', 300, undefined],
  ])('told in %s as %j is %p s', async (unit, value, seconds) => {
    const definition = expiring({ in: '{{steps.token.body.l}}', unit });
    const pending = talk.issued({ t: 'x', l: value }, definition);
    if (seconds === undefined) await expect(pending).rejects.toMatchObject({ code: 'provider_misconfigured' });
    else expect((await pending).lifeSeconds).toBe(seconds);
  });

  it.each<[string, () => unknown]>([
    ['auto', soon((date) => date.toISOString())],
    [
      'iso',
      soon((date) =>
        date
          .toISOString()
          .replace('T', ' ')
          .replace(/\.000Z$/, ''),
      ),
    ],
    ['auto', soon(withOffset)],
    ['iso', soon((date) => date.toISOString().replace('.000Z', '.1234567Z'))],
    ['auto', soon((date) => date.getTime() / 1000)],
    ['epoch_s', soon((date) => String(date.getTime() / 1000))],
    ['auto', soon((date) => date.getTime())],
    ['epoch_ms', soon((date) => String(date.getTime()))],
    ['http', soon((date) => date.toUTCString())],
    ['auto', soon((date) => `/Date(${date.getTime()})/`)],
    ['auto', soon((date) => `/Date(${date.getTime()}+0530)/`)],
  ])('until a point in time (%s) ends there', async (format, at) => {
    const definition = expiring({ at: '{{steps.token.body.l}}', format });
    const { lifeSeconds } = await talk.issued({ t: 'x', l: at() }, definition);
    expect(lifeSeconds).toBeGreaterThan(590);
    expect(lifeSeconds).toBeLessThanOrEqual(602);
  });

  it.each([
    ['iso', 1_795_530_600],
    ['epoch_s', '2099-01-01'],
    ['http', '2099-01-01'],
    ['auto', 'tomorrow'],
    ['auto', 0],
    ['auto', -5],
    ['auto', '2099-99-99'],
    ['auto', null],
  ])('is not told by %s %j', async (format, at) => {
    const definition = expiring({ at: '{{steps.token.body.l}}', format });
    await expect(talk.issued({ t: 'x', l: at }, definition)).rejects.toMatchObject({ code: 'provider_misconfigured' });
  });

  it("until a point in time is taken against the provider's clock, were it ten minutes off", async () => {
    for (const offsetMs of [-600_000, 600_000]) {
      const theirs = Date.now() + offsetMs;
      const headers = { date: new Date(theirs).toUTCString() };
      const at = new Date(theirs + 300_000).toISOString();
      const { lifeSeconds } = await talk.issued({ t: 'x', l: at }, expiring({ at: '{{steps.token.body.l}}' }), headers);
      expect(lifeSeconds).toBeGreaterThan(297);
      expect(lifeSeconds).toBeLessThanOrEqual(301);
      const exp = Math.floor(theirs / 1000) + 300;
      expect((await talk.issued({ t: jwt({ exp }) }, expiring({ jwt_exp: true }), headers)).lifeSeconds).toBeCloseTo(
        299,
        -1,
      );
    }
  });
});

function expiring(entry: Record<string, unknown>): ProviderDefinition {
  const whole = { ...JSON.parse(JSON.stringify(oauth)), token: { value: '{{steps.token.body.t}}', expiry: [entry] } };
  return readDefinition(stringify(whole)).definition;
}
