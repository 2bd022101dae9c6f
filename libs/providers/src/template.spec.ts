import { inspect } from 'node:util';
import fc from 'fast-check';
import { Secret } from '#vault';
import { type Scope, Template, TemplateFault, UrlText } from './template';

const inputs = { name: 'a b/ü&"', key: new Secret('canary-77'), base: new UrlText('https://h.example/'), dots: '..' };
const scope: Scope = {
  inputs,
  steps: { s: { body: JSON.parse('{"list":[{"id":7}],"__proto__":{"x":"own"}}'), headers: {} } },
};

describe('a template', () => {
  it('escapes each value for where it lands', () => {
    expect(new Template('<{{inputs.name}}>').render(scope)).toBe('<a b/ü&">');
    expect(new Template('https://x/{{inputs.name}}', 'url').render(scope)).toBe('https://x/a%20b%2F%C3%BC%26%22');
    expect(new Template('{{inputs.base}}x', 'url').render(scope)).toBe('https://h.example/x');
    expect(new Template('{{inputs.base}}/x', 'url_prefix').render(scope)).toBe('https://h.example/x');
    expect(new Template('{{inputs.name | url_encode | base64}}').render(scope)).toBe(btoa('a%20b%2F%C3%BC%26%22'));
    expect(() => new Template('https://x/{{inputs.dots}}/y', 'url').render(scope)).toThrow(TemplateFault);
  });

  it('reveals a secret in its text, and nowhere else', () => {
    expect(new Template('{{inputs.key}}').render(scope)).toBe('canary-77');
    expect(new Template('{{ inputs.key | base64 }}').render(scope)).toBe(btoa('canary-77'));
    try {
      new Template('{{inputs.key}}{{steps.s.body}}').render(scope);
      throw new Error('rendered an object');
    } catch (error) {
      expect(error).toBeInstanceOf(TemplateFault);
      expect(inspect(error, { depth: Infinity, showHidden: true })).not.toContain('canary-77');
    }
  });

  it('reads into an answer by names and indices, and tells an absent value from an empty one', () => {
    expect(new Template('{{steps.s.body.list[0].id}}').value(scope)).toBe(7);
    expect(new Template('{{steps.s.body.list[9].id}}').isAbsent(scope)).toBe(true);
    expect(new Template('x{{steps.s.body.list[9].id}}').render(scope)).toBe('x');
    expect(new Template('{{inputs.name}}').isAbsent(scope)).toBe(false);
  });

  it('never reaches a prototype, whatever path it names', () => {
    const magic = [
      'constructor',
      '__proto__',
      'prototype',
      'toString',
      'valueOf',
      'hasOwnProperty',
      'reveal',
      'call',
      'name',
    ];
    const word = fc.oneof(fc.constantFrom(...magic), fc.stringMatching(/^[a-z_]\w{0,6}$/));
    fc.assert(
      fc.property(
        fc.constantFrom(
          'inputs.key',
          'inputs.base',
          'steps',
          'steps.s.headers',
          'steps.s.body.list',
          'steps.s',
          'token',
          '',
        ),
        fc.array(word, { minLength: 1, maxLength: 4 }),
        (root, path) => {
          // What is the value's own may be named; what is Liquid's (size, first, last) is no prototype either.
          fc.pre(!(root === 'steps' && path[0] === 's') && !(root === 'inputs.base' && path[0] === 'text'));
          fc.pre(
            !['body', 'headers', 'inputs', 'steps', 'size', 'first', 'last', 'length'].some((known) =>
              path.includes(known),
            ),
          );
          const template = new Template(`{{${[root, ...path].filter(Boolean).join('.')}}}`);
          expect(template.value(scope)).toBeUndefined();
          expect(template.render(scope)).toBe('');
        },
      ),
      { numRuns: 500 },
    );
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('is either parsed or refused with its own error, whatever its text', () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('{{', '}}', '{%', '%}', 'inputs.name', '|', 'base64', '-', '[0]', '"', ' '),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        try {
          new Template(pieces.join('')).render(scope);
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateFault);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
