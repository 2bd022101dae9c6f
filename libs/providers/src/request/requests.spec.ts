import { createHash } from 'node:crypto';
import { readDefinition } from '../language/read-definition';
import { ask, definitionOf, refusalOf } from '../testing/acme.fixture';
import { type Answer, Conversation } from '../testing/conversation.fixture';
import { tokenHosts } from './token-hosts';

const talk = Conversation.forThisFile();

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
    await ask(talk, definitionOf({ inputs }, { body }));
    expect(talk.received[0]).toMatchObject({ body: text, headers: { 'content-type': type } });
  });

  it('takes lists and objects into JSON as they are, and lists into a form as repeated fields', async () => {
    const inputs = { base: { format: 'url' }, scopes: {}, doc: { format: 'json', secret: true } };
    const list = '{{ inputs.scopes | split: " " }}';
    const given = { scopes: 'a "b"', doc: '{"part":{"x":[1,null,"\\"}"]},"none":null}' };
    await ask(
      talk,
      definitionOf({ inputs }, { body: { json: { list, part: '{{inputs.doc.part}}', none: '{{inputs.doc.none}}' } } }),
      given,
    );
    expect(JSON.parse(talk.received[0]!.body)).toEqual({ list: ['a', '"b"'], part: { x: [1, null, '"}'] } });
    const { doc: _, ...without } = inputs;
    await ask(talk, definitionOf({ inputs: without }, { body: { form: { scope: list } } }), { scopes: 'a b&c' });
    expect(talk.received[1]!.body).toBe('scope=a&scope=b%26c');
  });

  it('has no Basic where neither user nor password is given', async () => {
    const inputs = { base: { format: 'url' }, user: { optional: true }, pass: { secret: true, optional: true } };
    const basic = { user: '{{inputs.user}}', pass: '{{inputs.pass}}' };
    await ask(talk, definitionOf({ inputs }, { basic }), { user: '', pass: '' });
    await ask(talk, definitionOf({ inputs }, { basic }), { user: 'u', pass: '' });
    expect(talk.received.map(({ headers }) => headers.authorization)).toEqual([undefined, `Basic ${btoa('u:')}`]);
  });

  it('takes a path of several segments from an input, and nothing that climbs out of it', async () => {
    const inputs = { base: { format: 'url' }, mount: { format: 'path' } };
    const source = definitionOf({ inputs }, { url: '{{inputs.base}}/v1/auth/{{inputs.mount}}/login' });
    await ask(talk, source, { mount: 'team/app-role' });
    expect(talk.received[0]!.url).toBe('/v1/auth/team/app-role/login');
    for (const mount of ['../x', 'a/../b', 'a//b', '/a', 'a?b', 'a#b', 'a%2fb', '.', 'a/', 'a b']) {
      expect(await refusalOf(ask(talk, source, { mount }))).toMatchObject({ code: 'provider_misconfigured' });
    }
  });

  it('carries secrets in its URL only where the definition insists', async () => {
    const query = { q: '{{inputs.pass}}', when: ['a', 'b'] };
    expect(() => readDefinition(definitionOf({}, { query }))).toThrow(
      /"pass" cannot be put into a URL.*secrets_in_url/,
    );
    await ask(talk, definitionOf({}, { query, secrets_in_url: true }));
    expect(talk.received[0]!.url).toBe('/token?q=canary%22%26%3Cpass%3E&when=a&when=b');
  });

  it('shares a value between its fields, which is computed once for each token', async () => {
    const values = {
      nonce: '{{ random }}',
      created: '{{ now | date: "%Y-%m-%dT%H:%M:%SZ" }}',
      digest: '{{ values.nonce | append: values.created | append: inputs.pass | sha1 | base64 }}',
    };
    const headers = { 'x-nonce': '{{values.nonce}}', 'x-at': '{{values.created}}', 'x-digest': '{{values.digest}}' };
    await ask(talk, definitionOf({ values }, { headers }));
    await ask(talk, definitionOf({ values }, { headers }));
    const [first, second] = talk.received.map((request) => request.headers);
    const text = `${first!['x-nonce']}${first!['x-at']}canary"&<pass>`;
    expect(first!['x-digest']).toBe(createHash('sha1').update(text).digest('base64'));
    expect(second!['x-nonce']).not.toBe(first!['x-nonce']);
  });

  it('is not made where the input that names its host is not given: the path would be taken for a host', async () => {
    const inputs = { domain: { format: 'host', optional: true } };
    const source = definitionOf({ inputs }, { url: 'https://{{inputs.domain}}/oauth/token' });
    const { failure } = await refusalOf(ask(talk, source));
    expect(failure.message).toBe('the URL of step s is not a URL with these inputs');
  });

  it('goes to a host that an answer names if it is that of an input', async () => {
    const inputs = { base: { format: 'url' }, auth: { format: 'host' } };
    const steps = [
      { id: 'find', method: 'GET', url: '{{inputs.base}}/find' },
      { id: 's', method: 'POST', url: '{{steps.find.body.api}}/token', hosts: ['{{inputs.auth}}'] },
    ];
    const source = definitionOf({ inputs, steps });
    const answer = (api: string): Answer => ({ body: { api, token: 't' } });
    const refused = await refusalOf(ask(talk, source, { auth: 'auth.example' }, answer('https://else.example')));
    expect(refused.failure.message).toContain('must name one of the hosts auth.example');
    expect(tokenHosts(readDefinition(source).definition, { base: 'https://a.example', auth: 'auth.example' })).toBe(
      'a.example,auth.example',
    );
    expect(() => readDefinition(definitionOf({ steps, inputs: { ...inputs, auth: {} } }))).toThrow(
      /not an input of format url or host/,
    );
  });

  it('goes to a host that an answer names only if the definition lists it', async () => {
    const steps = (hosts: string[]) => [
      { id: 'find', method: 'GET', url: '{{inputs.base}}/find' },
      { id: 's', method: 'POST', url: '{{steps.find.body.api}}/token', hosts },
    ];
    const found: Answer = { body: { api: `${talk.provider.origin}/eu/`, token: 't' } };
    const { host } = new URL(talk.provider.origin);
    await ask(talk, definitionOf({ steps: steps(['*.acme.example', host]) }), {}, found);
    expect(talk.received[1]!.url).toBe('/eu/token');
    for (const api of [
      'https://evil.example',
      // The operator allows it, and the definition does not.
      talk.provider.origin,
      'https://acme.example.evil.example',
      'http://a.acme.example',
      'https://u@a.acme.example',
      'nonsense',
      'https://a.acme.example:8443',
    ]) {
      const refused = await refusalOf(
        ask(talk, definitionOf({ steps: steps(['*.acme.example']) }), {}, { body: { api, token: 't' } }),
      );
      expect([api, refused.code]).toEqual([api, 'provider_misconfigured']);
    }
  });
});
