import { stringify } from 'yaml';
import { InvalidDefinition, readDefinition } from './read-definition';

const valid = {
  id: 'acme',
  inputs: { base: { format: 'url' }, user: {}, pass: { secret: true } },
  steps: [
    { id: 'login', method: 'POST', url: '{{inputs.base}}/login', body: { json: { user: '{{inputs.user}}' } } },
    { id: 'token', method: 'POST', url: 'https://acme.example/token', headers: { x: '{{steps.login.body.session}}' } },
  ],
  token: { value: '{{steps.token.body.token}}', expiry: [{ fixed_s: 60 }] },
  present: { headers: { authorization: 'Bearer {{token}}' } },
};

type Doc = Record<string, any>;

function faultsAfter(change: (definition: Doc) => void): string[] {
  const definition = structuredClone(valid) as Doc;
  change(definition);
  try {
    readDefinition(stringify(definition));
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidDefinition);
    return (error as InvalidDefinition).faults.map(({ pointer, detail }) => `${pointer} ${detail}`);
  }
  return [];
}

describe('a definition', () => {
  it('is accepted when nothing is wrong with it, and cannot be changed afterwards', () => {
    expect(faultsAfter(() => {})).toEqual([]);
    expect(Object.isFrozen(readDefinition(stringify(valid)).definition.steps![0])).toBe(true);
  });

  it.each<[string, (d: Doc) => void, RegExp]>([
    ['a missing field', (d) => delete d['token'], /^\/token is missing$/],
    ['a surplus field', (d) => (d['code'] = 'x'), /^\/code is not known here; known are id, title,/],
    ['a kind of expiry that is not known', (d) => (d['token'].expiry = [{ soon: true }]), /^\/token\/expiry\/0/],
    [
      'two kinds of expiry in one',
      (d) => (d['token'].expiry = [{ fixed_s: 1, jwt_exp: true }]),
      /exactly one of in, at, jwt_exp/,
    ],
    [
      'an unknown class',
      (d) => (d['errors'] = [{ when: { status: 1 }, class: 'bad' }]),
      /^\/errors\/0\/class must be one of cred/,
    ],
    [
      'a condition without a test',
      (d) => (d['errors'] = [{ when: { path: 'a' }, class: 'throttled' }]),
      /one of equals, not_equals, in/,
    ],
    [
      'a path that is none',
      (d) => (d['steps'][0].fail_if = [{ path: 'a..b', exists: true }]),
      /^\/steps\/0\/fail_if\/0\/path/,
    ],
    [
      'an unknown filter',
      (d) => (d['steps'][0].body.json.user = '{{inputs.user | eval}}'),
      /\/user "eval" is not a filter; known are/,
    ],
    [
      'a filter found on a prototype',
      (d) => (d['steps'][0].body.json.user = '{{inputs.user | constructor}}'),
      /"constructor" is not a filter/,
    ],
    ['a tag', (d) => (d['steps'][0].body.json.user = '{% for a in (1..9) %}{% endfor %}'), /tags are not part/],
    ['a range', (d) => (d['steps'][0].body.json.user = '{{ (1..100000000) }}'), /is not of the form/],
    ['an unclosed output', (d) => (d['steps'][0].body.json.user = '{{inputs.user'), /not closed by/],
    [
      'an undeclared input',
      (d) => (d['steps'][0].body.json.user = '{{inputs.nobody}}'),
      /"nobody" is not a declared input/,
    ],
    [
      'an input found on a prototype',
      (d) => (d['steps'][0].body.json.user = '{{inputs.constructor}}'),
      /not a declared input/,
    ],
    [
      'a property of an input',
      (d) => (d['steps'][0].body.json.user = '{{inputs.pass.size}}'),
      /only an input of format json has parts/,
    ],
    [
      'a step that comes later',
      (d) => (d['steps'][0].headers = { x: '{{steps.token.body.a}}' }),
      /"token" is not an earlier step/,
    ],
    ['the token before there is one', (d) => (d['steps'][1].headers = { x: '{{token}}' }), /cannot be named here/],
    [
      'a secret in a URL',
      (d) => (d['steps'][1].url = 'https://acme.example/{{inputs.pass}}'),
      /"pass" cannot be put into a URL/,
    ],
    [
      'a secret in a query',
      (d) => (d['steps'][1].query = { a: 'x{{inputs.pass}}' }),
      /\/query\/a the secret "pass" cannot/,
    ],
    [
      'a secret with a default',
      (d) => (d['inputs'].pass.default = 'hunter2'),
      /^\/inputs\/pass a secret has no default/,
    ],
    ['a literal http URL', (d) => (d['steps'][1].url = 'http://acme.example/'), /must begin with https/],
    ['a URL that begins with a plain input', (d) => (d['steps'][1].url = '{{inputs.user}}/x'), /must begin with https/],
    ['a user name in a URL', (d) => (d['steps'][1].url = 'https://me@acme.example/'), /user name/],
    [
      'a host from an answer',
      (d) => (d['steps'][1].url = 'https://{{steps.login.body.host}}/'),
      /list the only ones that it may name with hosts/,
    ],
    [
      'a URL input in mid-URL',
      (d) => (d['steps'][1].url = 'https://a.example/{{inputs.base}}'),
      /only stand at the start/,
    ],
    [
      'a header that frames the message',
      (d) => (d['steps'][1].headers = { 'Transfer-Encoding': 'chunked' }),
      /Transfer-Encoding/,
    ],
    ['two steps of one name', (d) => (d['steps'][1].id = 'login'), /another step is called/],
    [
      'a need that is not declared',
      (d) => (d['inputs'].user = { optional: true, needs: ['x'] }),
      /"x" is not a declared/,
    ],
  ])('is refused for %s, with a pointer', (_, change, expected) => {
    const faults = faultsAfter(change);
    expect(faults.join('\n')).toMatch(new RegExp(expected.source, 'm'));
    expect(faults.every((fault) => fault.startsWith('/'))).toBe(true);
  });

  it.each<[string, (d: Doc) => void]>([
    ['a field that is there and empty', (d) => (d['steps'][0].body = { form: { mfa: '', user: '{{inputs.user}}' } })],
    ['Basic without a password', (d) => (d['steps'][0].basic = { user: '{{inputs.user}}', pass: '' })],
    [
      'a SAML assertion that a value takes out of an answer',
      (d) => {
        d['values'] = { saml: '{{ steps.login.text | split: "<a>" | last }}' };
        const grant_type = 'urn:ietf:params:oauth:grant-type:saml2-bearer';
        d['steps'][1].body = { form: { grant_type, assertion: '{{ values.saml | base64url }}' } };
      },
    ],
    [
      'a signature that is the token itself',
      (d) => {
        d['values'] = {
          to_sign: 'AWS4-HMAC-SHA256\n{{now}}',
          signature: '{{values.to_sign | hmac_sha256: inputs.pass}}',
        };
        d['steps'] = [];
        d['token'].value = '{{values.signature}}';
      },
    ],
  ])('is accepted with %s', (_, change) => expect(faultsAfter(change)).toEqual([]));

  it('says of a field of a form what it may be', () => {
    const faults = faultsAfter((d) => (d['steps'][0].body = { form: { user: null } }));
    expect(faults).toEqual([
      '/steps/0/body/form/user must be a text, a number, true or false or a list ([…]), and is empty',
    ]);
  });

  it('is not warned about the id of a key', () => {
    const definition = structuredClone(valid) as Doc;
    definition['inputs'].private_key_id = {};
    definition['present'].headers.x = '{{inputs.private_key_id}}';
    const { warnings } = readDefinition(stringify(definition));
    expect(warnings.map(({ pointer }) => pointer)).not.toContain('/inputs/private_key_id');
  });

  it('is refused with all its faults at once', () => {
    const faults = faultsAfter((d) => {
      d['steps'][0].body.json.user = '{{inputs.a}}';
      d['token'].value = '{{inputs.b}}';
      d['present'].headers.x = '{{inputs.c}}';
    });
    expect(faults.map((fault) => fault.split(' ')[0])).toEqual([
      '/steps/0/body/json/user',
      '/token/value',
      '/present/headers/x',
    ]);
  });

  it('is refused when it is not YAML, repeats a key, or explodes through aliases', () => {
    const bomb = `a: &a [1,1,1,1,1,1,1,1,1]\n${'bcdefgh'
      .split('')
      .map((k, i) => `${k}: &${k} [${Array(9).fill(`*${'abcdefg'[i]}`)}]`)
      .join('\n')}`;
    for (const text of ['{', 'id: a\nid: b', bomb, '', 'x'.repeat(70_000)]) {
      expect(() => readDefinition(text)).toThrow(InvalidDefinition);
    }
  });
});
