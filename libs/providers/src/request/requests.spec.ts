import { createHash } from 'node:crypto';
import { readDefinition } from '../language/read-definition';
import { ask, definitionOf, refusalOf } from '../testing/acme.fixture';
import { type Answer, Conversation } from '../testing/conversation.fixture';

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

  it('goes to a host that an answer names only if the definition lists it', async () => {
    const steps = (hosts: string[]) => [
      { id: 'find', method: 'GET', url: '{{inputs.base}}/find' },
      { id: 's', method: 'POST', url: '{{steps.find.body.api}}/token', hosts },
    ];
    const found: Answer = { body: { api: `${talk.provider.origin}/eu/`, token: 't' } };
    await ask(talk, definitionOf({ steps: steps(['*.acme.example']) }), {}, found);
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
        ask(talk, definitionOf({ steps: steps(['*.acme.example']) }), {}, { body: { api, token: 't' } }),
      );
      expect([api, refused.code]).toEqual([api, 'provider_misconfigured']);
    }
  });
});
