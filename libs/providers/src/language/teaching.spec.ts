import type { Fault } from './fault';
import { type InvalidDefinition, readDefinition } from './read-definition';
import { source, taught } from '../testing/taught.fixture';

describe('what is wrong with a definition', () => {
  it('is nothing, and nothing is worth a warning, when it is sound', () => expect(taught()).toEqual([]));

  it.each<[from: string, to: string, pointer: string, line: number, detail: RegExp]>([
    [
      "  value: '{{steps.s.body.token}}'",
      "  value: '{{steps.s.body.token | nope}}'",
      '/token/value',
      15,
      /"nope" is not a filter; known are/,
    ],
    ['    method: POST', '    method: SEND', '/steps/0/method', 8, /must be one of GET, POST/],
    [
      '    method: POST',
      '    method: POST\n    tls: {}',
      '/steps/0/tls',
      9,
      /is not known here; a client certificate is mtls/,
    ],
    [
      "        user: '{{inputs.user}}'",
      "        user: '{{inputs.usr}}'",
      '/steps/0/body/form/user',
      12,
      /"usr" is not a declared input; there is base, user, pass$/,
    ],
    ['id: acme', 'id: Acme', '/id', 1, /must be 1 to 63 of a-z 0-9 -/],
    ['  - id: s', '  - name: s', '/steps/0/name', 7, /not known here/],
    ["url: '{{inputs.base}}/token'", 'url: http://acme.example', '/steps/0/url', 9, /must begin with https/],
    ["url: '{{inputs.base}}/token'", 'url: https://acme.example/{{inputs.pass}}', '/steps/0/url', 9, /URLs are logged/],
    [
      "url: '{{inputs.base}}/token'",
      "url: '{{inputs.base}}.evil.example/token'",
      '/steps/0/url',
      9,
      /must begin with "\/" or "\?"/,
    ],
    ["url: '{{inputs.base}}/token'", "url: '{{inputs.user}}/token'", '/steps/0/url', 9, /an input of format url/],
    [
      '{{steps.s.body.token}}',
      'Bearer {{steps.s.body.token}}',
      '/token/value',
      15,
      /can never match: a token has no spaces/,
    ],
    ['{{steps.s.body.token}}', '{{inputs.pass}}', '/token/value', 15, /names nothing that is issued/],
    ['{{steps.s.body.token}}', '{{steps.t.body.token}}', '/token/value', 15, /"t" is not a step; there is s$/],
    [
      '    method: POST',
      '    method: POST\n    response: text',
      '/token/value',
      16,
      /can never match: step s answers with text/,
    ],
    [
      '    method: POST',
      '    method: POST\n    response: xml\n    headers: { x: "{{steps.s.body}}" }',
      '/steps/0/headers/x',
      10,
      /can never match/,
    ],
    [
      "  headers: { Authorization: 'Bearer {{token}}' }",
      "  headers: { X: '{{random}}' }",
      '/present/headers/X',
      18,
      /once per token, not per API request. Leave it to the program/,
    ],
    [
      "  headers: { Authorization: 'Bearer {{token}}' }",
      "  headers: { X: '{{ now }}' }",
      '/present/headers/X',
      18,
      /once per token, not per API request.*out of scope/,
    ],
    [
      "  headers: { Authorization: 'Bearer {{token}}' }",
      "  headers: { X: '{{ request.path | hmac_sha256: token }}' }",
      '/present/headers/X',
      18,
      /known only to the program that makes the request/,
    ],
    [
      "  headers: { Authorization: 'Bearer {{token}}' }",
      '  headers: { Authorization: \'OAuth oauth_consumer_key="x"\' }',
      '/present/headers/Authorization',
      18,
      /OAuth 1.0.*out of scope/,
    ],
    [
      "        user: '{{inputs.user}}'",
      '        grant_type: authorization_code',
      '/steps/0/body/form/grant_type',
      12,
      /nobody is there to consent/,
    ],
    [
      "        user: '{{inputs.user}}'",
      '        grant_type: urn:ietf:params:oauth:grant-type:saml2-bearer',
      '/steps/0/body/form/grant_type',
      12,
      /XML signatures are not part/,
    ],
    ['present:', 'authorization_url: https://x.example\npresent:', '/authorization_url', 17, /Interactive consent/],
    ['present:', 'aws_sigv4: { region: x }\npresent:', '/aws_sigv4', 17, /Signature 4/],
    [
      '  pass: { secret: true }',
      '  pass: { secret: true, default: hunter2 }',
      '/inputs/pass',
      5,
      /a secret has no default/,
    ],
    ['  user: {}', '  user: { format: private_key }', '/inputs/user', 4, /must be secret: true/],
    ['present:', 'values: { a: "{{values.b}}", b: "{{values.a}}" }\npresent:', '/values/a', 17, /names itself/],
    [
      '      form:',
      '      xml: "<a><b></a>"\n      form:',
      '/steps/0/body',
      11,
      /exactly one of form, json, xml, text/,
    ],
    ['[{ in: ', '[{ in: "x", at: ', '/token/expiry/0', 16, /exactly one of in, at/],
    [
      'present:',
      'discovery: { issuer: "{{discovery.x}}" }\npresent:',
      '/discovery/issuer',
      17,
      /its own metadata cannot say/,
    ],
    ['present:', 'either: [[user, pass]]\npresent:', '/either/0/0', 17, /must be optional: true/],
    ['present:', 'renew: { quota: { requests: 5 } }\npresent:', '/renew/quota/per_s', 17, /is missing/],
  ])('%s -> %s is refused with pointer, line and a sentence', (from, to, pointer, line, detail) => {
    const faults = taught(from, to);
    expect(faults).toContainEqual({ pointer, line, detail: expect.stringMatching(detail) });
  });

  it.each<[from: string, to: string, pointer: string, line: number, detail: RegExp]>([
    ['  user: {}', '  user: {}\n  spare: {}', '/inputs/spare', 5, /is not used by any template/],
    ['  user: {}', '  user: {}\n  api_key: {}', '/inputs/api_key', 5, /called like a secret and is not one/],
    [
      "  headers: { Authorization: 'Bearer {{token}}' }",
      "  headers: { X: '{{inputs.pass}}', Y: '{{token}}' }",
      '/present/headers/X',
      18,
      /handed to every service/,
    ],
    [
      "headers: { Authorization: 'Bearer {{token}}' }",
      'headers: { X: "{{assertions.j}}", Y: "{{token}}" }\nassertions: { j: { alg: HS256, key: "{{inputs.pass}}", claims: { p: "{{inputs.pass}}" }, ttl_s: 60 } }',
      '/present/headers/X',
      18,
      /"pass", or what is made of it, is handed to every/,
    ],
    [
      '  value: ',
      '  outputs: { o: "{{ inputs.pass | base64 }}" }\n  value: ',
      '/token/outputs/o',
      15,
      /handed to every service/,
    ],
    [
      '    method: POST',
      "    method: POST\n    query: { p: '{{inputs.pass}}' }\n    secrets_in_url: true",
      '/steps/0/query/p',
      9,
      /which proxies log/,
    ],
    ['{ fixed_s: 60 }]', '{ fixed_s: 60 }, { in: "{{steps.s.body.x}}" }]', '/token/expiry/2', 16, /is never reached/],
    [
      'present:',
      'errors: [{ when: { path: body.e, exists: true }, class: throttled }]\npresent:',
      '/errors/0/when/path',
      17,
      /begins in the body: e is likely meant$/,
    ],
    ['present:', 'values: { spare: "{{uuid}}" }\npresent:', '/values/spare', 17, /is not used/],
  ])('%s -> %s is worth a warning', (from, to, pointer, line, detail) => {
    expect(taught(from, to)).toContainEqual({ pointer, line, detail: expect.stringMatching(detail) });
  });

  it('is said of YAML too, with its line', () => {
    const faultOf = (text: string): Fault => {
      try {
        readDefinition(text);
        throw new Error('accepted');
      } catch (error) {
        return (error as InvalidDefinition).faults[0]!;
      }
    };
    expect(faultOf('id: a\ninputs: {\n')).toMatchObject({
      pointer: '',
      line: 3,
      detail: expect.stringMatching(/is not YAML/),
    });
    expect(faultOf('id: a\nurl: {{inputs.x}}/y\n')).toMatchObject({
      line: 2,
      detail: expect.stringMatching(/best put in quotes$/),
    });
    expect(faultOf(`${source}---\n${source}`)).toMatchObject({
      line: 19,
      detail: expect.stringMatching(/begins a second document/),
    });
    expect(faultOf(source.replaceAll('\n', ''))).toMatchObject({
      line: 1,
      detail: expect.stringMatching(/--data-binary/),
    });
    expect(faultOf('- a')).toMatchObject({ detail: expect.stringMatching(/is not a YAML mapping/) });
    expect(faultOf(`a: ${'['.repeat(500)}${']'.repeat(500)}`).detail).toMatch(/levels deep|not YAML/);
    expect(faultOf(`id: acme\ninputs: ${'{a: '.repeat(60)}1${'}'.repeat(60)}`).detail).toMatch(/levels deep/);
  });

  it('lets a SAML assertion pass that an earlier step fetches', () => {
    const steps = `- { id: idp, method: POST, url: 'https://acme.example/idp', response: text }
  - id: s
    method: POST
    url: '{{inputs.base}}/token'
    body:
      form:
        grant_type: urn:ietf:params:oauth:grant-type:saml2-bearer
        assertion: '{{steps.idp.body}}'`;
    expect(
      taught("- id: s\n    method: POST\n    url: '{{inputs.base}}/token'\n    body:\n      form:", steps),
    ).toEqual([]);
  });
});
