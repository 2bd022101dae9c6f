import { InvalidDefinition, readDefinition } from './read-definition';

/** What is said of a definition that takes a secret to a URL. */
function faultsOf(url: string, { more = '', first = '', step = '' } = {}): string[] {
  const source = `id: acme
inputs:
  domain: { format: host }
  place: { format: path, optional: true }
  pass: { secret: true }
  authority: { secret: true, optional: true, format: certificate }
values: { digest: '{{ inputs.pass | md5 }}', plain: '{{ inputs.domain | append: ".acme.example" }}', once: '{{ uuid }}' }
assertions: { j: { alg: HS256, key: literal, claims: { iss: me }, ttl_s: 60 } }
${more}
steps:
  ${first}- id: s
    method: POST
    url: '${url}'
    body: { form: { pass: '{{inputs.pass}}' } }
    ${step}
token: { value: '{{steps.s.body.token}}', expiry: [{ fixed_s: 60 }] }
present: { headers: { Authorization: 'Bearer {{token}}' } }
`;
  try {
    readDefinition(source);
    return [];
  } catch (error) {
    if (!(error instanceof InvalidDefinition)) throw error;
    return error.faults.map(({ pointer, detail }) => `${pointer} ${detail}`);
  }
}

const emptyMd5 = 'd41d8cd98f00b204e9800998ecf8427e';

describe('where a secret goes', () => {
  it.each([
    // Without the secret it makes the vendor's host, and with the secret another one.
    [
      `https://{{ inputs.pass | md5 | replace: "${emptyMd5}", "api.acme" }}.example/t`,
      /the secret "pass" cannot decide/,
    ],
    ['https://{{ values.digest }}.example/t', /the secret "pass" cannot decide the host, nor can its digest/],
    ['https://{{ assertions.j | md5 }}.example/t', /an assertion cannot decide the host/],
    ['https://{{ random | hex | slice: 0, 1 }}.example/t', /now, uuid and random cannot decide the host/],
    ['https://{{ now }}.example/t', /now, uuid and random cannot decide the host/],
    ['https://{{ values.once }}.example/t', /now, uuid and random cannot decide the host/],
    // Its "/" would end the host before the vendor's name.
    ['https://{{ inputs.place }}.acme.example/t', /an input of format path can only stand after the host/],
  ])('is decided by nothing that the seal does not know: %s', (url, fault) => {
    expect(faultsOf(url)).toEqual([expect.stringMatching(fault)]);
  });

  it('may be decided by what the seal knows, and a digest may stand in the rest of a URL', () => {
    expect(faultsOf('https://{{ values.plain }}/t?d={{ values.digest }}&n={{ random }}')).toEqual([]);
  });

  it.each(['{{inputs.authority}}', '{{steps.first.body.ca}}', '{{discovery.ca}}'])(
    'is not entrusted to authorities of which the seal knows nothing: %s',
    (ca) => {
      const more = "discovery: { issuer: 'https://acme.example' }";
      const step = `ca: '${ca}'`;
      const first = "- { id: first, method: GET, url: 'https://acme.example/' }\n  ";
      expect(faultsOf('https://acme.example/t', { more, step, first })).toEqual([
        '/steps/1/ca only inputs that are no secrets can say which authorities to trust',
      ]);
    },
  );
});
