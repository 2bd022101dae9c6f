import { readDefinition } from './read-definition';
import { source, taught } from '../testing/taught.fixture';

describe('what somebody writes who knows other tools', () => {
  it.each<[from: string, to: string, pointer: string, line: number, detail: RegExp]>([
    ['  - id: s', '  - id: get-token', '/steps/0/id', 7, /must be 1 to 64 of a-z 0-9 _, the first a letter$/],
    ['id: acme', 'id: acme\ndocs: see the wiki', '/docs', 2, /must begin with https/],
    ['  user: {}', '  userName: {}', '/inputs/userName', 4, /must be 1 to 64 of a-z 0-9 _/],
    ['  user: {}', '  user: { required: true }', '/inputs/user/required', 4, /unless it says optional: true/],
    ['  user: {}', '  user: { typ: x }', '/inputs/user/typ', 4, /not known here; known are title, description, secret/],
    ['  user: {}', '  user: Name', '/inputs/user', 4, /must be a mapping \(name: value\)$/],
    [
      "  value: '{{steps.s.body.token}}'",
      '  value: {{steps.s.body.token}}',
      '/token/value',
      15,
      /has to be in quotes$/,
    ],
    ['[{ in: ', '[{ in_s: 5, at: ', '/token/expiry/0/in_s', 16, /known are in, unit, never_if, at/],
    [
      '    method: POST',
      '    method: POST\n    fail_if: { path: a, exists: true }',
      '/steps/0/fail_if',
      9,
      /must be a list/,
    ],
    [
      '    method: POST',
      '    method: POST\n    headers: { Host: x }',
      '/steps/0/headers/Host',
      9,
      /set by the broker itself/,
    ],
    [
      '    method: POST',
      "    method: POST\n    headers: { '{{inputs.user}}': x }",
      '/steps/0/headers/{{inputs.user}}',
      9,
      /names hold no templates/,
    ],
    [
      'present:',
      'errors: [{ path: e, equals: 1, class: throttled }]\npresent:',
      '/errors/0/path',
      17,
      /belongs under when/,
    ],
    [
      "user: '{{inputs.user}}'",
      "user: '{{user}}'",
      '/steps/0/body/form/user',
      12,
      /"user" cannot be named here, only as inputs.user$/,
    ],
    ['{{token}}', '{{token.value}}', '/present/headers/Authorization', 18, /only as token: /],
    ["user: '{{inputs.user}}'", "user: '{{uuid()}}'", '/steps/0/body/form/user', 12, /there are no parentheses$/],
    [
      "user: '{{inputs.user}}'",
      "user: '{{inputs.user + inputs.pass}}'",
      '/steps/0/body/form/user',
      12,
      /joined by append/,
    ],
    ['steps.s.body.token', 'steps.0.body.token', '/token/value', 15, /an item of a list is a\[0\]$/],
    [
      "user: '{{inputs.user}}'",
      'user: \'{{ now | date: "yyyy" }}\'',
      '/steps/0/body/form/user',
      12,
      /no part such as %Y/,
    ],
    [
      "'{{inputs.base}}/token'",
      "'{{inputs.pass.base}}/token'",
      '/steps/0/url',
      9,
      /"inputs.pass.base": only an input of format json has parts/,
    ],
  ])('%s -> %s is refused with what was meant', (from, to, pointer, line, detail) => {
    expect(taught(from, to)).toContainEqual({ pointer, line, detail: expect.stringMatching(detail) });
  });

  it('is said once of a step that there is not, and of a URL that is plain http', () => {
    expect(taught('steps.s.body.token', 'steps.t.body.token')).toHaveLength(1);
    expect(taught("'{{inputs.base}}/token'", 'http://acme.example/token').map(({ detail }) => detail)).toEqual([
      expect.stringMatching(/^must begin with https:.*ALLOWED_PROVIDER_HOSTS/),
    ]);
  });

  it('says of a host in a part of a JSON input where it belongs', () => {
    const key = ['  user: {}', '  user: {}\n  file: { format: json }'] as const;
    const url = source.replace(...key).replace('{{inputs.base}}', '{{inputs.file.url}}');
    expect(() => readDefinition(url)).toThrow(/a part of inputs.file cannot name the host: ask for it as an input/);
  });
});
