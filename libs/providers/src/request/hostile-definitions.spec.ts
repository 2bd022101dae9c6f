import { inspect } from 'node:util';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { Secret } from '#vault';
import { type LocalProvider, startProvider } from '../../../../test/harness/local-provider';
import { systemClock } from '../clock';
import { ProviderError } from '../failures/errors';
import type { ProviderDefinition } from '../language/definition';
import { InvalidDefinition, readDefinition } from '../language/read-definition';
import { createTokenRequester } from './token-requester';

const canary = 'canary-s3cret&"7';
const tokenCanary = 'tokencanary.7f3a';

const text = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '{{token}}',
    '{{inputs.pass}}',
    '{{steps.a.body.t}}',
    '{{steps.b.body["x"]}}',
    '{{values.v}}',
    '{{now}}',
  ),
  fc.constantFrom(
    '{{assertions.j}}',
    '{{ inputs.pass | base64 }}',
    '{{ inputs.pass | sha256 }}',
    '{{discovery.x}}',
    '{{ "a',
  ),
  fc.constantFrom(
    '{{ inputs.pass | json | url_encode }}',
    '{{ steps.a.text }}',
    '{{ steps.a.cookies.c.value }}',
    '{{inputs.base}}/t',
  ),
  fc.constantFrom(
    'https://acme.example',
    '__proto__',
    'constructor',
    'a[*].b',
    '{{ random | hex }}',
    '{{ inputs.doc.a.b }}',
  ),
);
const scalar = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null), fc.double());
const junk = fc.oneof(
  scalar,
  fc.array(scalar, { maxLength: 3 }),
  fc.dictionary(fc.oneof(text, fc.constantFrom('in', 'at', 'unit', 'json', 'form', 'xml', 'path', 'class')), scalar, {
    maxKeys: 3,
  }),
);

/** A definition that has everything, to be spoiled in a few places. */
const rich = {
  id: 'rich',
  inputs: { base: { format: 'url' }, pass: { secret: true }, doc: { format: 'json', secret: true, optional: true } },
  values: { v: '{{ inputs.pass | append: uuid | sha256 }}' },
  assertions: { j: { alg: 'HS256', key: '{{inputs.pass}}', claims: { v: '{{values.v}}' }, ttl_s: 60 } },
  steps: [
    {
      id: 'a',
      method: 'POST',
      url: '{{inputs.base}}/a',
      body: { json: { p: '{{inputs.pass}}', j: '{{assertions.j}}' } },
      response: 'json',
    },
    {
      id: 'b',
      method: 'POST',
      url: '{{inputs.base}}/b',
      basic: { user: 'u', pass: '{{inputs.pass}}' },
      body: { form: { s: '{{steps.a.body.t}}' } },
      fail_if: [{ path: 'errors', non_empty: true }],
    },
  ],
  token: {
    value: '{{steps.b.body.t}}',
    outputs: { o: '{{steps.b.body.o}}' },
    expiry: [
      { in: '{{steps.b.body.l}}', unit: 'auto' },
      { at: '{{steps.b.body.e}}' },
      { jwt_exp: true },
      { fixed_s: 60 },
    ],
  },
  present: {
    headers: { Authorization: 'Bearer {{token}}', 'X-O': '{{outputs.o}}' },
    query: { k: '{{values.v}}' },
    cookies: { c: '{{token}}' },
  },
  errors: [{ when: { path: 'code', equals: 7 }, class: 'throttled' }],
  renew: { max_ttl_s: 60, invalid_when: [{ status: 401 }] },
};

type Doc = Record<string, any>;

/** Every place in the document. */
function placesIn(value: unknown, at: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([name, inner]) => placesIn(inner, [...at, name]))];
}

const places = placesIn(rich).filter((place) => place.length > 0);
const spoiled = fc
  .array(fc.tuple(fc.constantFrom(...places), junk, fc.boolean()), { minLength: 1, maxLength: 3 })
  .map((changes) => {
    const document = structuredClone(rich) as Doc;
    for (const [place, value, remove] of changes) {
      const parent = place.slice(0, -1).reduce<Doc | undefined>((found, name) => found?.[name], document);
      if (typeof parent !== 'object' || parent === null) continue;
      if (remove) delete parent[place.at(-1)!];
      else parent[place.at(-1)!] = value;
    }
    return document;
  });

function read(source: string): ProviderDefinition | undefined {
  try {
    return readDefinition(source).definition;
  } catch (error) {
    if (!(error instanceof InvalidDefinition)) throw error;
    for (const fault of error.faults) {
      expect(fault.detail).not.toBe('');
      expect(fault.pointer).toMatch(/^(\/|$)/);
    }
    expect(error.faults.length).toBeGreaterThan(0);
    return undefined;
  }
}

it('whatever text is given as a definition, it is read or refused with its faults', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('id: a', 'inputs: {}', 'steps: []', '  - &a [*a]', 'token: *a', '? ', '!!js x', '---', '<<: *a'),
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(line, { maxLength: 8 }).map((lines) => lines.join('\n')),
        fc.json(),
      ),
      (source) => {
        read(source);
      },
    ),
    { numRuns: 10_000 },
  );
}, 60_000);

it('however a definition is spoiled, it is read or refused with its faults', () => {
  fc.assert(
    fc.property(spoiled, (document) => {
      read(stringify(document));
    }),
    { numRuns: 3_000 },
  );
}, 60_000);

describe('whatever a definition says', () => {
  let provider: LocalProvider;
  let next: { status: number; headers: Record<string, string>; body: string };
  beforeAll(async () => {
    provider = await startProvider((_, response) => {
      response.shouldKeepAlive = false;
      response.writeHead(next.status, next.headers).end(next.body);
    });
  });
  afterAll(() => provider.close());

  it('and whatever is answered, it is refused, or brings a usable token, or a classified failure, and no secret is told', async () => {
    const requester = createTokenRequester({
      clock: systemClock,
      allowedOrigins: [provider.origin],
      deadlines: { totalMs: 3000 },
    });
    const outcomes = new Map<string, number>();
    const count = (what: string): void => void outcomes.set(what, (outcomes.get(what) ?? 0) + 1);
    const part = fc.oneof(
      fc.constantFrom<unknown>(tokenCanary, canary, 0, -1, 300, 1e300, '177:05:38', '2099-01-01', null, {}, []),
      fc.string(),
    );
    const body = fc.oneof(
      { weight: 4, arbitrary: fc.constant(JSON.stringify({ t: tokenCanary, l: 60, errors: [] })) },
      {
        weight: 4,
        arbitrary: fc
          .record(
            { t: part, l: part, e: part, o: part, code: fc.oneof(part, fc.constant(7)), errors: part },
            { requiredKeys: ['t'] },
          )
          .map((value) => JSON.stringify(value)),
      },
      fc.constantFrom(
        `<r><t a="${tokenCanary}">${canary}</t></r>`,
        `t=${tokenCanary}&l=5`,
        tokenCanary,
        `"${tokenCanary}"`,
        '',
        '<html>',
        '<!DOCTYPE a>',
      ),
      fc.string(),
    );
    const headers = fc.dictionary(
      fc.constantFrom('set-cookie', 'date', 'content-type', 'x-o'),
      fc.stringMatching(/^[ -~]{0,40}$/),
    );
    await fc.assert(
      fc.asyncProperty(
        spoiled,
        fc.constantFrom(200, 200, 200, 201, 302, 400, 500),
        headers,
        body,
        async (document, status, answerHeaders, answer) => {
          const definition = read(stringify(document));
          if (!definition) return count('refused');
          next = { status, headers: answerHeaders, body: answer };
          const inputs = { base: provider.origin, pass: new Secret(canary) };
          // What was made to be no secret, or no input at all, is none.
          const secrets = definition.inputs['pass']?.secret
            ? [canary, encodeURIComponent(canary), btoa(`u:${canary}`)]
            : [];
          const given = Object.fromEntries(Object.entries(inputs).filter(([name]) => name in definition.inputs));
          try {
            const token = await requester.requestToken(definition, given);
            count('issued');
            expect(token.lifeSeconds).toBeGreaterThan(0);
            expect(Number.isFinite(token.lifeSeconds)).toBe(true);
            expect(token.accessToken.reveal()).toMatch(/^[\x21-\x7e]+$/);
          } catch (error) {
            if (!(error instanceof ProviderError)) throw error;
            count(error.code);
            const told = [JSON.stringify(error.failure), inspect(error, { depth: Infinity, showHidden: true })].join(
              '\n',
            );
            for (const secret of secrets) expect(told).not.toContain(secret);
          }
          const test = await requester.tryOut(definition, given);
          for (const secret of secrets) expect(JSON.stringify(test)).not.toContain(JSON.stringify(secret).slice(1, -1));
        },
      ),
      { numRuns: 1_500, endOnFailure: true },
    );
    await requester.close();
    // The generator is worth its name only if it gets everywhere.
    for (const outcome of ['refused', 'issued', 'provider_misconfigured', 'provider_unavailable', 'throttled']) {
      expect([outcome, (outcomes.get(outcome) ?? 0) > 4]).toEqual([outcome, true]);
    }
  }, 300_000);
});
