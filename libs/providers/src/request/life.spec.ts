import { stringify } from 'yaml';
import { Conversation, oauth } from '../testing/conversation.fixture';
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
    const { definition } = readDefinition(
      stringify({
        ...JSON.parse(JSON.stringify(oauth)),
        token: { value: '{{steps.token.body.t}}', expiry: [{ in: '{{steps.token.body.l}}', unit }] },
      }),
    );
    expect((await talk.issued({ t: 'x', l: value }, definition)).lifeSeconds).toBe(seconds);
    expect(await talk.failure({ body: { t: 'canary' } }, definition)).toMatchObject({ code: 'provider_misconfigured' });
  });
});
