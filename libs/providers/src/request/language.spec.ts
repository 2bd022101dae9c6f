import { createHash, createHmac, generateKeyPairSync } from 'node:crypto';
import { jwtVerify } from 'jose';
import { stringify } from 'yaml';
import { readDefinition } from '../language/read-definition';
import { type Answer, Conversation } from '../testing/conversation.fixture';
import type { IssuedToken } from './issued-token';

const talk = Conversation.forThisFile();

/** A definition of one step, with changes; the answer is what the step gets. */
function definitionOf(change: Record<string, unknown>, step: Record<string, unknown> = {}): string {
  return stringify({
    id: 'acme',
    inputs: { base: { format: 'url' }, user: { optional: true }, pass: { secret: true, optional: true } },
    steps: [{ id: 's', method: 'POST', url: '{{inputs.base}}/token', ...step }],
    token: { value: '{{steps.s.body.token}}', expiry: [{ fixed_s: 60 }] },
    present: { headers: { Authorization: 'Bearer {{token}}' } },
    ...change,
  });
}

function ask(
  source: string,
  inputs: Record<string, string> = {},
  answer: Answer = { body: { token: 't' } },
): Promise<IssuedToken> {
  talk.answer = answer;
  const { definition } = readDefinition(source);
  const given = { user: 'me', pass: 'canary"&<pass>', ...inputs };
  const known = Object.entries(given).filter(([name]) => name in definition.inputs);
  const base = 'base' in definition.inputs ? { base: talk.provider.origin } : {};
  return talk.requester.requestToken(definition, { ...base, ...Object.fromEntries(known) });
}

async function refusalOf(
  pending: Promise<unknown>,
): Promise<{ code: string; failure: { message: string; hint?: string } }> {
  return pending.then(
    () => Promise.reject(new Error('a token was issued')),
    (error: { code: string; failure: { message: string; hint?: string } }) => error,
  );
}

describe('a request', () => {
  it.each<[string, Record<string, unknown>, string, string]>([
    [
      'a form',
      { form: { a: '{{inputs.pass}}', list: ['x', '{{inputs.user}}'], n: 7 } },
      'application/x-www-form-urlencoded',
      'a=canary%22%26%3Cpass%3E&list=x&list=me&n=7',
    ],
    [
      'JSON',
      { json: { a: '{{inputs.pass}}', n: '{{ "7" | number }}', b: true, none: '{{inputs.gone}}' } },
      'application/json',
      '{"a":"canary\\"&<pass>","n":7,"b":true}',
    ],
    [
      'XML',
      { xml: '<a b="{{inputs.pass}}"><c>{{inputs.user}}</c></a>' },
      'application/xml; charset=utf-8',
      '<a b="canary&quot;&amp;&lt;pass&gt;"><c>me</c></a>',
    ],
    ['text', { text: '{{inputs.user}}:{{inputs.pass}}' }, 'text/plain; charset=utf-8', 'me:canary"&<pass>'],
  ])('is written as %s, each value escaped for it', async (_, body, type, text) => {
    const inputs = { base: { format: 'url' }, user: {}, pass: { secret: true }, gone: { optional: true } };
    await ask(definitionOf({ inputs }, { body }));
    expect(talk.received[0]).toMatchObject({ body: text, headers: { 'content-type': type } });
  });

  it('carries secrets in its URL only where the definition insists', async () => {
    const query = { q: '{{inputs.pass}}', when: ['a', 'b'] };
    expect(() => readDefinition(definitionOf({}, { query }))).toThrow(
      /"pass" cannot be put into a URL.*secrets_in_url/,
    );
    await ask(definitionOf({}, { query, secrets_in_url: true }));
    expect(talk.received[0]!.url).toBe('/token?q=canary%22%26%3Cpass%3E&when=a&when=b');
  });

  it('shares a value between its fields, which is computed once for each token', async () => {
    const values = {
      nonce: '{{ random }}',
      created: '{{ now | date: "%Y-%m-%dT%H:%M:%SZ" }}',
      digest: '{{ values.nonce | append: values.created | append: inputs.pass | sha1 | base64 }}',
    };
    const headers = { 'x-nonce': '{{values.nonce}}', 'x-at': '{{values.created}}', 'x-digest': '{{values.digest}}' };
    await ask(definitionOf({ values }, { headers }));
    await ask(definitionOf({ values }, { headers }));
    const [first, second] = talk.received.map((request) => request.headers);
    const text = `${first!['x-nonce']}${first!['x-at']}canary"&<pass>`;
    expect(first!['x-digest']).toBe(createHash('sha1').update(text).digest('base64'));
    expect(second!['x-nonce']).not.toBe(first!['x-nonce']);
  });

  it('goes to a host that an answer names only if the definition lists it', async () => {
    const steps = (hosts: string[]) => [
      { id: 'find', method: 'GET', url: '{{inputs.base}}/find' },
      { id: 's', method: 'POST', url: '{{steps.find.body.api}}/token', hosts },
    ];
    const found: Answer = { body: { api: `${talk.provider.origin}/eu/`, token: 't' } };
    await ask(definitionOf({ steps: steps(['*.acme.example']) }), {}, found);
    expect(talk.received[1]!.url).toBe('/eu/token');
    for (const api of [
      'https://evil.example',
      'https://acme.example.evil.example',
      'http://a.acme.example',
      'https://u@a.acme.example',
      'nonsense',
      'https://a.acme.example:8443',
    ]) {
      const refused = await refusalOf(
        ask(definitionOf({ steps: steps(['*.acme.example']) }), {}, { body: { api, token: 't' } }),
      );
      expect([api, refused.code]).toEqual([api, 'provider_misconfigured']);
    }
  });
});

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
      ['Envelope.Body.login.@id', '9'],
      ['Envelope.Body.login.s[1]', 'b'],
    ]) {
      expect((await ask(source(`{{steps.s.body.${path}}}`), {}, answer)).accessToken.reveal()).toBe(token);
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
    expect(await refusalOf(ask(source, {}, xml(text)))).toMatchObject({ code: 'provider_unavailable' });
  });

  it('is read as a form, as text, and as a JSON string', async () => {
    const read = async (response: string, value: string, body: string) =>
      (
        await ask(definitionOf({ token: { value, expiry: [{ fixed_s: 60 }] } }, { response }), {}, { body })
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
      definitionOf({ token, present }),
      {},
      answer(200, 'SID=abc; Path=/; HttpOnly; Max-Age=90'),
    );
    expect(issued).toMatchObject({ lifeSeconds: 90, headers: { Cookie: 'SID=abc' }, cookies: { SID: 'abc' } });
    const expires = new Date(Date.now() + 120_000).toUTCString();
    const redirected = await ask(
      definitionOf({ token, present }, { expect_status: [302] }),
      {},
      answer(302, `SID=x; Expires=${expires}`),
    );
    expect(redirected.lifeSeconds).toBeGreaterThan(115);
    expect(redirected.lifeSeconds).toBeLessThanOrEqual(121);
    expect(await refusalOf(ask(definitionOf({ token, present }), {}, answer(302, 'SID=x')))).toMatchObject({
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
    const issued = await ask(source, {}, { body: { token: 't', url: 'https://x.example' } });
    expect(issued).toMatchObject({
      outputs: { instance_url: 'https://x.example' },
      query: { key: 't' },
      headers: { 'X-At': 'https://x.example' },
    });
    expect(issued.lifeSeconds).toBe(315_360_000);
    expect(issued.outputs).not.toHaveProperty('gone');
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
      await ask(source, {}, answer).then(
        () => 'issued',
        (error: { code: string }) => error.code,
      ),
    ).toBe(expected);
  });
});

describe('a token minted here', () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

  it('is a JWT of the client, its life that of the JWT, and nobody is asked', async () => {
    const source = stringify({
      id: 'local',
      inputs: { issuer: {}, key: { secret: true, format: 'private_key' }, scopes: { optional: true } },
      assertions: {
        jwt: {
          key: '{{inputs.key}}',
          header: { kid: 'k1', typ: 'JWT' },
          claims: {
            iss: '{{inputs.issuer}}',
            aud: 'x',
            n: 1,
            scope: ['{{inputs.scopes}}'],
            iat: '{{ now | minus: 60 }}',
          },
          ttl_s: 900,
        },
      },
      token: { value: '{{assertions.jwt}}', expiry: [{ jwt_exp: true }] },
      present: { headers: { Authorization: 'Bearer {{token}}' } },
    });
    // As an admin pastes it into one line.
    const issued = await talk.requester.requestToken(readDefinition(source).definition, {
      issuer: 'me',
      key: pem.trim().replaceAll('\n', '\\n'),
    });
    const { payload, protectedHeader } = await jwtVerify(issued.accessToken.reveal(), publicKey);
    expect(protectedHeader).toEqual({ alg: 'ES256', kid: 'k1', typ: 'JWT' });
    expect(payload).toMatchObject({ iss: 'me', aud: 'x', n: 1, scope: [] });
    expect(payload.exp! - payload.iat!).toBeGreaterThanOrEqual(959);
    expect(issued.lifeSeconds).toBeGreaterThan(897);
    expect(issued.lifeSeconds).toBeLessThanOrEqual(900);
    expect(talk.received).toHaveLength(0);
  });

  it('is a WSSE digest with what it was made from', async () => {
    const source = stringify({
      id: 'wsse',
      inputs: { user: {}, pass: { secret: true } },
      values: {
        nonce: '{{ random }}',
        created: '{{ now | date: "%Y-%m-%dT%H:%M:%SZ" }}',
        digest: '{{ values.nonce | append: values.created | append: inputs.pass | sha1 | hex | base64 }}',
      },
      token: { value: '{{values.digest}}', expiry: [{ fixed_s: 240 }] },
      present: {
        headers: {
          'X-WSSE':
            'UsernameToken Username="{{inputs.user}}", PasswordDigest="{{token}}", Nonce="{{values.nonce}}", Created="{{values.created}}"',
        },
      },
    });
    const { headers } = await talk.requester.requestToken(readDefinition(source).definition, { user: 'u', pass: 'p' });
    const [, digest, nonce, created] = /PasswordDigest="(.+?)", Nonce="(.+?)", Created="(.+?)"/.exec(
      headers['X-WSSE']!,
    )!;
    const sha1 = createHash('sha1').update(`${nonce}${created}p`).digest('hex');
    expect(Buffer.from(digest!, 'base64').toString()).toBe(sha1);
  });

  it('is signed with a shared secret, however that is written', async () => {
    for (const [key_encoding, key] of [
      ['utf8', 'canary-shared-secret'],
      ['hex', '63616e617279'],
      ['base64', 'Y2FuYXJ5'],
    ] as const) {
      const source = stringify({
        id: 'hs',
        inputs: { key: { secret: true } },
        assertions: { jwt: { alg: 'HS256', key: '{{inputs.key}}', key_encoding, claims: {}, ttl_s: 60 } },
        token: { value: '{{assertions.jwt}}', expiry: [{ fixed_s: 60 }] },
        present: {},
      });
      const issued = await talk.requester.requestToken(readDefinition(source).definition, { key });
      const [head, body, signature] = issued.accessToken.reveal().split('.');
      const bytes = Buffer.from(key, key_encoding);
      expect(createHmac('sha256', bytes).update(`${head}.${body}`).digest('base64url')).toBe(signature);
    }
  });

  it.each([
    ['RS256', pem, /does not sign with RS256/],
    ['none', pem, /the algorithm must be/],
    [undefined, pem.replace(/\n[A-Za-z0-9+/=]{20}/, '\nAAAAAAAAAAAAAAAAAAAA'), /cannot be read/],
  ])('with the algorithm %s and a key that does not fit is refused, and tells no key', async (alg, key, message) => {
    const source = stringify({
      id: 'local',
      inputs: { alg: { optional: true }, key: { secret: true } },
      assertions: { jwt: { alg: '{{inputs.alg}}', key: '{{inputs.key}}', claims: {}, ttl_s: 60 } },
      token: { value: '{{assertions.jwt}}', expiry: [{ fixed_s: 60 }] },
      present: {},
    });
    const given = { key: key.trim().replaceAll('\n', '\\n'), ...(alg && { alg }) };
    const refused = await refusalOf(talk.requester.requestToken(readDefinition(source).definition, given));
    expect(refused.code).toBe('provider_misconfigured');
    expect(refused.failure.message).toMatch(message);
    expect(refused.failure.message).not.toContain('MIG');
  });
});
