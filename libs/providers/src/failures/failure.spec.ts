import { stringify } from 'yaml';
import { Conversation, oauth } from '../testing/conversation.fixture';
import { readDefinition } from '../language/read-definition';

const talk = Conversation.forThisFile();

describe('a failure is classified once', () => {
  it.each([
    [{ status: 401 }, 'credentials_refused'],
    [{ status: 403 }, 'credentials_refused'],
    [{ status: 400, body: { error: 'invalid_request' } }, 'provider_misconfigured'],
    [{ status: 400, body: { error: 'temporarily_unavailable' } }, 'provider_unavailable'],
    [{ status: 404 }, 'provider_misconfigured'],
    [{ status: 415 }, 'provider_misconfigured'],
    [{ status: 408 }, 'provider_unavailable'],
    [{ status: 425 }, 'provider_unavailable'],
    [{ status: 429 }, 'throttled'],
    [{ status: 500, body: '<html>down</html>' }, 'provider_unavailable'],
    [{ status: 503 }, 'provider_unavailable'],
    [{ status: 200, body: '<!doctype html><title>Sorry</title>' }, 'provider_unavailable'],
    [{ status: 200, body: '' }, 'provider_unavailable'],
    [{ status: 200, body: '"text"' }, 'provider_unavailable'],
    [{ status: 200, body: '{"data":{"accessToken":"canary-cut' }, 'provider_unavailable'],
    [{ status: 204 }, 'provider_unavailable'],
    [{ status: 200, body: {} }, 'provider_misconfigured'],
    [{ status: 200, body: { data: { accessToken: '' } } }, 'provider_misconfigured'],
    [{ status: 200, body: { data: { accessToken: 7 } } }, 'provider_misconfigured'],
    [{ status: 200, body: { data: { accessToken: 'canary\r\nx: y', ttlSeconds: 9 } } }, 'provider_misconfigured'],
    [{ status: 200, body: { data: { accessToken: 'canary token', ttlSeconds: 9 } } }, 'provider_misconfigured'],
    [{ status: 200, body: { data: { accessToken: 'canary'.repeat(4000), ttlSeconds: 9 } } }, 'provider_misconfigured'],
  ])('%j: %s', async (given, code) => {
    const failed = await talk.failure(given);
    expect(failed).toMatchObject({ code, providerStatus: given.status });
    expect(failed.hint).toBeTruthy();
  });

  it('redirects are not followed, whatever their kind', async () => {
    for (const status of [301, 302, 303, 307, 308]) {
      talk.received.splice(0);
      const redirect = { status, headers: { location: `${talk.provider.origin}/elsewhere` } };
      expect(await talk.failure(redirect)).toMatchObject({
        code: 'provider_misconfigured',
        hint: expect.stringContaining('not followed'),
      });
      expect(talk.received).toHaveLength(1);
    }
  });

  it.each([
    ['120', 120],
    ['0', 0],
    [new Date(Date.now() - 60_000).toUTCString(), 0],
    ['-5', undefined],
    ['soon', undefined],
    ['1e9', undefined],
    ['99999999', 86_400],
    [new Date(Date.now() + 9e9).toUTCString(), 86_400],
  ])('Retry-After %j is read as %p', async (value, seconds) => {
    const failed = await talk.failure({ status: 429, headers: { 'retry-after': value } });
    expect(failed.retryAfterSeconds).toBe(seconds);
    expect('retryAfterSeconds' in failed).toBe(seconds !== undefined);
    expect((await talk.failure({ status: 503, headers: { 'retry-after': value } })).retryAfterSeconds).toBe(seconds);
  });

  it("a date in Retry-After is taken against the provider's clock, not ours", async () => {
    const date = Date.now() - 3_600_000;
    const headers = { date: new Date(date).toUTCString(), 'retry-after': new Date(date + 30_000).toUTCString() };
    expect((await talk.failure({ status: 429, headers })).retryAfterSeconds).toBe(30);
  });

  it('the rules of the definition come before the defaults', async () => {
    const { definition } = readDefinition(
      stringify({
        ...JSON.parse(JSON.stringify(oauth)),
        id: 'own',
        errors: [{ when: { status: [200], path: 'state', in: ['busy', 7] }, class: 'throttled', hint: 'wait' }],
      }),
    );
    expect(await talk.failure({ body: { state: '7' } }, definition)).toMatchObject({ code: 'throttled', hint: 'wait' });
  });

  it('an answer that is not as the definition says leads to what to look at there', async () => {
    const own = (change: object) =>
      readDefinition(stringify({ ...JSON.parse(JSON.stringify(oauth)), id: 'own', ...change })).definition;
    const xml = { headers: { 'content-type': 'text/xml' }, body: '<response status="success"/>' };
    expect(await talk.failure(xml, oauth)).toMatchObject({
      message: expect.stringMatching(/is not JSON/),
      hint: expect.stringMatching(/the step needs response: xml/),
    });
    expect((await talk.failure({ body: 'sorry' }, oauth)).hint).toMatch(
      /check the URL, and that the step's response is json/,
    );
    const [step] = JSON.parse(JSON.stringify(oauth.steps));
    const failing = own({ steps: [{ ...step, fail_if: [{ status: 201 }, { path: 'ok', absent: true }] }] });
    expect((await talk.failure({ body: { a: 1 } }, failing)).hint).toMatch(
      /^Entry 1 of fail_if of the step "token" holds/,
    );
    const token = { value: oauth.token.value, expiry: [{ in: '{{steps.token.body.expiresIn}}' }] };
    expect((await talk.failure({ body: { access_token: 'canary', expires_in: 60 } }, own({ token }))).hint).toMatch(
      /expects it at {{steps.token.body.expiresIn}}.*{ fixed_s: 300 }/,
    );
  });

  it('a rule can look into a body that is a list itself', async () => {
    const { definition } = readDefinition(
      stringify({
        ...JSON.parse(JSON.stringify(oauth)),
        id: 'own',
        errors: [
          { when: { path: '[*].code', equals: 'BUSY' }, class: 'throttled' },
          { when: { path: '[0]["odd name"]', exists: true }, class: 'credentials_refused' },
        ],
      }),
    );
    const body = [{ code: 'OTHER' }, { code: 'BUSY' }];
    expect(await talk.failure({ status: 400, body }, definition)).toMatchObject({ code: 'throttled' });
    expect(await talk.failure({ status: 400, body: [{ 'odd name': 1 }] }, definition)).toMatchObject({
      code: 'credentials_refused',
    });
    expect(await talk.failure({ status: 400, body: { code: 'BUSY' } }, definition)).toMatchObject({
      code: 'provider_misconfigured',
    });
  });
});
