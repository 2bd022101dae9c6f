import { ask, definitionOf, refusalOf } from '../testing/acme.fixture';
import { type Answer, Conversation } from '../testing/conversation.fixture';

const talk = Conversation.forThisFile();

describe('an answer', () => {
  const xml = (text: string): Answer => ({ headers: { 'content-type': 'text/xml' }, body: text });

  it('is read as XML: local names, attributes, text, lists', async () => {
    const source = (value: string) =>
      definitionOf({ token: { value, expiry: [{ fixed_s: 60 }] } }, { response: 'xml' });
    const answer = xml(
      '<?xml version="1.0"?><s:Envelope xmlns:s="urn:x"><s:Body><r:login id="9"><token kind="a">tok&amp;1</token><s>a</s><s>b</s></r:login></s:Body></s:Envelope>',
    );
    for (const [path, token] of [
      ['Envelope.Body.login.token["#text"]', 'tok&1'],
      ['Envelope.Body.login.token.#text', 'tok&1'],
      // Whether it has attributes or not, as they come and go with a server's version.
      ['Envelope.Body.login.token', 'tok&1'],
      ['Envelope.Body.login.s[1].#text', 'b'],
      ['Envelope.Body.login.@id', '9'],
      ['Envelope.Body.login.s[1]', 'b'],
    ]) {
      expect((await ask(talk, source(`{{steps.s.body.${path}}}`), {}, answer)).accessToken.reveal()).toBe(token);
    }
  });

  it.each([
    ['entities of its own', '<!DOCTYPE a [<!ENTITY x "canary">]><a><token>&x;</token></a>'],
    ['an external entity', '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a><token>&x;</token></a>'],
    [
      'a billion laughs',
      `<!DOCTYPE a [<!ENTITY a "ha">${'bcdefgh'
        .split('')
        .map((n, i) => `<!ENTITY ${n} "${`&${'abcdefg'[i]};`.repeat(10)}">`)
        .join('')}]><token>&h;</token>`,
    ],
    ['too many levels', `${'<a>'.repeat(9000)}${'</a>'.repeat(9000)}`],
    ['no end', '<a><token>canary'],
    ['HTML', '<html><body>down</body></html>'],
    ['nothing', ''],
  ])('in XML with %s is not read', async (_, text) => {
    const source = definitionOf(
      { token: { value: '{{steps.s.body.a.token}}', expiry: [{ fixed_s: 60 }] } },
      { response: 'xml' },
    );
    expect(await refusalOf(ask(talk, source, {}, xml(text)))).toMatchObject({ code: 'provider_unavailable' });
  });

  it('is read as a form, as text, and as a JSON string', async () => {
    const read = async (response: string, value: string, body: string) =>
      (
        await ask(talk, definitionOf({ token: { value, expiry: [{ fixed_s: 60 }] } }, { response }), {}, { body })
      ).accessToken.reveal();
    expect(await read('form', '{{steps.s.body.access_token}}', 'access_token=a%2Bb&expires=5')).toBe('a+b');
    expect(await read('text', '{{steps.s.body}}', ' tok.1\r\n')).toBe('tok.1');
    expect(await read('json', '{{steps.s.body}}', '"tok.2"')).toBe('tok.2');
    const page = refusalOf(read('text', '{{steps.s.body}}', '<!DOCTYPE html><p>down'));
    expect(await page).toMatchObject({ code: 'provider_unavailable', message: expect.stringContaining('HTML') });
    const sentence = refusalOf(read('text', '{{steps.s.body}}', 'Service is down'));
    expect(await sentence).toMatchObject({ code: 'provider_misconfigured' });
  });

  it('gives a cookie, whatever its page, and from a redirect where that is expected', async () => {
    const token = {
      value: '{{steps.s.cookies.SID.value}}',
      expiry: [{ in: '{{steps.s.cookies.SID.max_age}}' }, { at: '{{steps.s.cookies.SID.expires}}', format: 'http' }],
    };
    const present = { cookies: { SID: '{{token}}' } };
    const answer =
      (status: number, cookie: string): Answer =>
      (_, response) =>
        void response.writeHead(status, { 'set-cookie': ['a=b', cookie], location: '/home' }).end('<html>welcome');
    const issued = await ask(
      talk,
      definitionOf({ token, present }),
      {},
      answer(200, 'SID=abc; Path=/; HttpOnly; Max-Age=90'),
    );
    expect(issued).toMatchObject({ lifeSeconds: 90, headers: { Cookie: 'SID=abc' }, cookies: { SID: 'abc' } });
    const both = { headers: { cookie: 'a=b' }, cookies: { SID: '{{token}}' } };
    const joined = await ask(talk, definitionOf({ token, present: both }), {}, answer(200, 'SID=abc; Max-Age=90'));
    expect(joined.headers).toEqual({ cookie: 'a=b; SID=abc' });
    const expires = new Date(Date.now() + 120_000).toUTCString();
    const redirected = await ask(
      talk,
      definitionOf({ token, present }, { expect_status: [302] }),
      {},
      answer(302, `SID=x; Expires=${expires}`),
    );
    expect(redirected.lifeSeconds).toBeGreaterThan(115);
    expect(redirected.lifeSeconds).toBeLessThanOrEqual(121);
    expect(await refusalOf(ask(talk, definitionOf({ token, present }), {}, answer(302, 'SID=x')))).toMatchObject({
      code: 'provider_misconfigured',
    });
  });

  it('gives outputs, which can be presented in headers and the query', async () => {
    const source = definitionOf({
      token: {
        value: '{{steps.s.body.token}}',
        expiry: [{ never: true }],
        outputs: { instance_url: '{{steps.s.body.url}}', gone: '{{steps.s.body.gone}}' },
      },
      present: { headers: { 'X-At': '{{outputs.instance_url}}' }, query: { key: '{{token}}' } },
    });
    const issued = await ask(talk, source, {}, { body: { token: 't', url: 'https://x.example' } });
    expect(issued).toMatchObject({
      outputs: { instance_url: 'https://x.example' },
      query: { key: 't' },
      headers: { 'X-At': 'https://x.example' },
    });
    expect(issued.lifeSeconds).toBe(315_360_000);
    expect(issued.outputs).not.toHaveProperty('gone');
  });

  it('gives the one of a list that a definition is after', async () => {
    const url = '{{ steps.s.body.accounts | where: "is_default", "true" | map: "base_uri" | first }}';
    const token = { value: '{{steps.s.body.token}}', expiry: [{ fixed_s: 60 }], outputs: { url } };
    const present = { headers: { 'X-At': '{{outputs.url}}/v2' } };
    const accounts = [
      { is_default: false, base_uri: 'https://a' },
      null,
      7,
      { is_default: true, base_uri: 'https://b' },
    ];
    const issued = await ask(talk, definitionOf({ token, present }), {}, { body: { token: 't', accounts } });
    expect(issued).toMatchObject({ outputs: { url: 'https://b' }, headers: { 'X-At': 'https://b/v2' } });
    for (const none of [[], [{ is_default: true }], undefined]) {
      const answer = { body: { token: 't', accounts: none } };
      expect((await ask(talk, definitionOf({ token }), {}, answer)).outputs).toBeUndefined();
      const refused = await refusalOf(ask(talk, definitionOf({ token, present }), {}, answer));
      expect(refused.failure.message).toContain('there is no outputs.url');
    }
  });

  it.each<[string, Record<string, unknown>, Answer, string]>([
    [
      'a header',
      { header: 'X-Error', non_empty: true },
      { headers: { 'x-error': 'busy' }, body: { token: 't' } },
      'throttled',
    ],
    ['a part of the text', { contains: 'try later' }, { body: { token: 't', note: 'try later' } }, 'throttled'],
    [
      'a part of a value',
      { path: 'note', contains: 'later' },
      { body: { token: 't', note: 'try later' } },
      'throttled',
    ],
    [
      'a value that is not the one of success',
      { path: 'status', not_equals: 'success' },
      { body: { token: 't', status: 'no' } },
      'throttled',
    ],
    ['the lack of that value', { path: 'status', not_equals: 'success' }, { body: { token: 't' } }, 'throttled'],
    [
      'a value outside a list',
      { path: 'code', not_in: [0, '200'] },
      { body: { token: 't', code: 40013 } },
      'throttled',
    ],
    ['none of it', { path: 'code', not_in: [0, '200'] }, { body: { token: 't', code: 200 } }, 'issued'],
    [
      'an error in JSON where XML was expected',
      { path: 'error.code', equals: 9 },
      { status: 400, body: { error: { code: 9 } } },
      'throttled',
    ],
  ])('is a failure by %s', async (_, when, answer, expected) => {
    const response = 'status' in (answer as object) ? 'xml' : 'json';
    const token = response === 'xml' ? { value: '{{steps.s.body.a.token}}', expiry: [{ fixed_s: 60 }] } : undefined;
    const source = definitionOf({ errors: [{ when, class: 'throttled' }], ...(token && { token }) }, { response });
    expect(
      await ask(talk, source, {}, answer).then(
        () => 'issued',
        (error: { code: string }) => error.code,
      ),
    ).toBe(expected);
  });
});
