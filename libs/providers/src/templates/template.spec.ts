import { inspect } from 'node:util';
import fc from 'fast-check';
import { Secret } from '#vault';
import { type Path, valueAt } from './path';
import { type Names, type Position, Template } from './template';
import { TemplateFault, UrlText } from './text';

const root = {
  inputs: {
    name: 'a b/ü&"',
    key: new Secret('canary-77'),
    host: new UrlText('h.example:8443', 'host'),
    dots: '..',
    n: '7',
  },
  steps: {
    s: { body: JSON.parse('{"list":[{"id":7}],"ok":true,"a:b":{"@c":"d"},"odd name":1,"__proto__":{"x":"own"}}') },
  },
  now: 1_795_530_600,
};
const names: Names = { at: (path: Path) => valueAt(root, path) };

const render = (text: string, position?: Position): string => new Template(text, position).render(names);

function faultOf(text: string): string {
  try {
    render(text);
    return 'none';
  } catch (error) {
    expect(error).toBeInstanceOf(TemplateFault);
    return (error as Error).message;
  }
}

describe('a template', () => {
  it('escapes each value for where it lands', () => {
    expect(render('<{{inputs.name}}>')).toBe('<a b/ü&">');
    expect(render('/{{inputs.name}}', 'url')).toBe('/a%20b%2F%C3%BC%26%22');
    expect(render('https://{{inputs.host}}', 'authority')).toBe('https://h.example:8443');
    expect(render('https://{{inputs.name}}', 'authority')).toBe('https://a%20b%2F%C3%BC%26%22');
    expect(render(`<a b="{{inputs.name}}">{{ "<'>" }}</a>`, 'xml')).toBe('<a b="a b/ü&amp;&quot;">&lt;&apos;&gt;</a>');
    expect(() => render('/{{inputs.dots}}/y', 'url')).toThrow(TemplateFault);
  });

  it('reveals a secret in its text, and nowhere else', () => {
    expect(render('{{inputs.key}}')).toBe('canary-77');
    for (const text of [
      '{{inputs.key}}{{steps.s.body}}',
      '{{ inputs.key | times: 2 }}',
      '{{ inputs.key | cert_sha1 }}',
    ]) {
      try {
        render(text);
        throw new Error('rendered');
      } catch (error) {
        expect(error).toBeInstanceOf(TemplateFault);
        expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('canary-77');
      }
    }
  });

  it('reads into an answer by names and indices, and tells an absent value from an empty one', () => {
    expect(new Template('{{steps.s.body.list[0].id}}').value(names)).toBe(7);
    expect(new Template('{{steps.s.body.list[-1].id}}').value(names)).toBe(7);
    expect(render('{{ steps.s.body["odd name"] }} {{steps.s.body.a:b.@c}}')).toBe('1 d');
    expect(new Template('{{steps.s.body.list[9].id}}').isAbsent(names)).toBe(true);
    expect(new Template('{{steps.s.body.list[9].id | base64}}').isAbsent(names)).toBe(true);
    expect(new Template('{{steps.s.body.list[9].id | default: inputs.none}}').isAbsent(names)).toBe(true);
    expect(render('{{steps.s.body.list[9].id}}')).toBe('');
    expect(new Template('{{inputs.name}}').isAbsent(names)).toBe(false);
  });

  it('is empty where an input is missing, and fails where an answer lacks what a longer text is made of', () => {
    expect(render('x{{inputs.none}}')).toBe('x');
    expect(faultOf('Bearer {{steps.s.body.token}}')).toMatch(/the answer of step s has no body.token$/);
    expect(render('x{{steps.s.body.token | default: ""}}')).toBe('x');
  });

  it('signs nothing without a key', () => {
    for (const text of ['{{ "a" | hmac_sha256: inputs.none | base64 }}', '{{ "a" | hmac_sha1: inputs.none }}']) {
      expect(new Template(text).isAbsent(names)).toBe(true);
      expect(faultOf(`x${text}`)).toMatch(/the key of the HMAC is missing/);
    }
  });

  it.each([
    ['{{ inputs.n | append: ":" | append: inputs.key | base64 }}', 'NzpjYW5hcnktNzc='],
    ['{{ "abc" | sha256 }}', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['{{ "abc" | sha256 | base64 }}', 'ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0='],
    ['{{ "abc" | sha1 | hex | base64 }}', 'YTk5OTNlMzY0NzA2ODE2YWJhM2UyNTcxNzg1MGMyNmM5Y2QwZDg5ZA=='],
    ['{{ "abc" | md5 | upcase }}', '900150983CD24FB0D6963F7D28E17F72'],
    // RFC 4231 test case 2
    [
      '{{ "what do ya want for nothing?" | hmac_sha256: "Jefe" }}',
      '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    ],
    ['{{ "4a656665" | hex_decode | base64url }}', 'SmVmZQ'],
    ['{{ "SmVmZQ==" | base64_decode | hex }}', '4a656665'],
    ['{{ "SmVmZQ==" | base64_decode | text | upcase }}', 'JEFE'],
    ['{{ now | date: "%Y-%m-%dT%H:%M:%SZ" }}', '2026-11-24T14:30:00Z'],
    ['{{ now | plus: 604800 | date: "%Y-%m-%d" }}', '2026-12-01'],
    ['{{ now | times: 1000 }}', '1795530600000'],
    ['{{ "id:secret:x" | split: ":" | first }}{{ "id:x" | split: ":" | last }}', 'idx'],
    ['{{ "a b c" | replace: " ", "," }}{{ "abc" | slice: 1, 1 }}', 'a,b,cb'],
    ['{{ inputs.none | default: "app" }}.example', 'app.example'],
    ['mutation { a(b: {{ inputs.name | json }}) { c } }', 'mutation { a(b: "a b/ü&\\"") { c } }'],
    ['{{ steps.s.body.list | json }}', '[{"id":7}]'],
    ['{{ steps.s.body.list[0] | json | base64 }}', 'eyJpZCI6N30='],
    ['{{ "4a656665" | hex_decode | json }}', '"4a656665"'],
    ['{{ "}} {{" }}', '}} {{'],
    ['{a}}', '{a}}'],
    ['{{ inputs.name | url_encode }} {{ inputs.name | form_encode }}', 'a%20b%2F%C3%BC%26%22 a+b%2F%C3%BC%26%22'],
  ])('%s is %s', (text, expected) => expect(render(text)).toBe(expected));

  it('keeps a number a number, and makes one of a text where asked to', () => {
    expect(new Template('{{ inputs.n | number }}').value(names)).toBe(7);
    expect(new Template('{{steps.s.body.ok}}').value(names)).toBe(true);
    expect(faultOf('{{ inputs.name | number }}')).toMatch(/a number is needed/);
  });

  it.each([
    ['{{ inputs.n | eval }}', /"eval" is not a filter; known are append, base64/],
    ['{{ inputs.n | constructor }}', /is not a filter/],
    ['{{ inputs.n | append }}', /"append" takes 1 argument, and has 0/],
    ['{{ inputs.n | replace: "a" }}', /takes 2 arguments/],
    ['{% for a in (1..9) %}{% endfor %}', /tags are not part/],
    ['{{ (1..100000000) }}', /not of the form/],
    ['{{inputs.n', /not closed/],
    ['{{ inputs.n | split: "\\n" }}', /cannot hold a backslash/],
    ['{{ inputs.a == 1 }}', /not of the form/],
    ['{{ inputs[*] }}', /is not a path/],
    ['{{ "x" | sign_rs256: inputs.key }}', /neither PEM .* nor a JWK/],
    ['{{ "ff" | hex_decode | text }}', /"text" cannot be applied/],
    ['{{ inputs.key | public_key_sha256 }}', /neither PEM .* nor a JWK/],
  ])('%s is refused, and says why', (text, expected) => expect(faultOf(text)).toMatch(expected));

  it('has no text that grows without bound', () => {
    let text = 'x'.repeat(60_000);
    const growing: Names = { at: () => text };
    expect(new Template('{{ a.b }}').render(growing)).toHaveLength(60_000);
    expect(() => new Template('{{ a.b | append: a.b }}').render(growing)).toThrow(/too long/);
    expect(() => new Template('{{ a.b }}{{ a.b }}').render(growing)).toThrow(/more than 65536/);
    text = 'x'.repeat(10);
    expect(() => new Template('{{ a.b | replace: "x", a.b }}').render(growing)).not.toThrow();
  });

  it('never reaches a prototype, whatever path it names', () => {
    const magic = ['constructor', '__proto__', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'reveal', 'call'];
    const word = fc.oneof(fc.constantFrom(...magic), fc.stringMatching(/^[a-z_]\w{0,6}$/));
    const start = fc.constantFrom('inputs.key', 'inputs.host', 'steps', 'steps.s.body.list', 'steps.s', 'token', '');
    fc.assert(
      fc.property(start, fc.array(word, { minLength: 1, maxLength: 4 }), (from, path) => {
        fc.pre(
          !['body', 'inputs', 'steps', 'now', 'text', 's', 'length', 'list'].some((known) => path.includes(known)),
        );
        const template = new Template(`{{${[from, ...path].filter(Boolean).join('.')}}}`);
        expect(template.value(names)).toBeUndefined();
        expect(template.render(names)).toBe('');
      }),
      { numRuns: 2000 },
    );
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('is either parsed and rendered or refused with its own error, soon, whatever its text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom(
        '{{',
        '}}',
        '{%',
        '%}',
        'inputs.name',
        'inputs.key',
        '|',
        ':',
        ',',
        '-',
        '[0]',
        '"',
        "'",
        ' ',
        '(',
      ),
      fc.constantFrom(
        'base64',
        'append',
        'date',
        'split',
        'sha256',
        'hex_decode',
        'number',
        'times',
        'json',
        '"%Y"',
        '1',
      ),
    );
    const expression = fc
      .array(piece, { maxLength: 6 })
      .chain((pieces) => fc.constantFrom(pieces.join(''), `{{ ${pieces.join(' ')} }}`));
    fc.assert(
      fc.property(
        fc.array(expression, { maxLength: 3 }),
        fc.constantFrom<Position>('text', 'url', 'xml'),
        (all, at) => {
          try {
            new Template(all.join(''), at).render(names);
          } catch (error) {
            expect(error).toBeInstanceOf(TemplateFault);
            expect((error as Error).message).not.toContain('canary');
          }
        },
      ),
      { numRuns: 10_000 },
    );
  }, 60_000);

  it.each(['{{', '{{ a', '"', "'", '{{ "', '|', 'a.', 'a[0]', '{{a|', '{{ a | b: c, ', '}', '{{a}}'])(
    'made of nothing but %j holds nobody up',
    (piece) => {
      const text = piece.repeat(4096 / piece.length);
      const started = performance.now();
      faultOf(text);
      faultOf(`{{ ${text} }}`);
      expect(performance.now() - started).toBeLessThan(500);
    },
  );
});
