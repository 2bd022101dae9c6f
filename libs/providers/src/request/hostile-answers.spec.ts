import { inspect } from 'node:util';
import fc from 'fast-check';
import { Secret } from '#vault';
import { type LocalProvider, startProvider } from '../../../../test/harness/local-provider';
import { systemClock } from '../clock';
import { ProviderError } from '../failures/errors';
import { loadPresets } from '../language/presets';
import { createTokenRequester } from './token-requester';

const canary = 'canary/"s3cret"&+ü';
const tokenCanary = 'tokencanary.7f3a';
const echoes = [canary, encodeURIComponent(canary), JSON.stringify(canary), btoa(unescape(encodeURIComponent(canary)))];
const hidden = [...echoes, tokenCanary, 'canary/', 'canary%2F', 'canary%2f'];

const headerText = fc.stringMatching(/^[ -~]{0,60}$/);
const headers = fc.dictionary(
  fc.constantFrom('retry-after', 'x-cap-requestid', 'content-type', 'date', '__proto__', 'x-other', 'location'),
  fc.oneof(headerText, fc.constantFrom(encodeURIComponent(canary), '-1', '1e400', 'Mon, 99 Foo 2099', 'gzip')),
);
const leaf = fc.oneof(
  fc.constantFrom<unknown>(...echoes, null, 0, -1, 1e308, 300, 320001, '300', '', true),
  fc.string({ unit: 'binary' }),
);
// A token stands where tokens stand; in the words about an error only once it stands there too.
const tokenLeaf = fc.oneof(leaf, fc.constant(tokenCanary));
const echoedToken = fc.constant({
  access_token: tokenCanary,
  error: tokenCanary,
  data: { accessToken: tokenCanary },
  errors: [tokenCanary],
});
const shaped = fc.record(
  {
    data: fc.oneof(leaf, fc.record({ accessToken: tokenLeaf, ttlSeconds: leaf }, { requiredKeys: [] })),
    errors: fc.oneof(
      leaf,
      fc.array(fc.oneof(leaf, fc.record({ code: leaf, message: leaf }, { requiredKeys: [] })), { maxLength: 3 }),
    ),
    access_token: tokenLeaf,
    token_type: leaf,
    expires_in: leaf,
    error: leaf,
    error_description: leaf,
  },
  { requiredKeys: [] },
);
const deep = fc.constantFrom(
  '['.repeat(30_000) + ']'.repeat(30_000),
  `{"error":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
);
const usable = JSON.stringify({ access_token: tokenCanary, data: { accessToken: tokenCanary, ttlSeconds: 60 } });
const body = fc.oneof(
  fc.constant(usable),
  fc
    .oneof({ weight: 9, arbitrary: shaped }, { weight: 1, arbitrary: echoedToken })
    .map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string(),
  deep,
  fc.constantFrom(
    `<html>${canary}`,
    `{"access_token":"${tokenCanary}`,
    `access_token=${tokenCanary}&x=1`,
    '{"__proto__":{"error":1}}',
  ),
);

let provider: LocalProvider;
let next: { status: number; headers: Record<string, string>; body: string };
beforeAll(async () => {
  provider = await startProvider((_, response) => {
    // A connection of its own for each answer: statuses such as 204 and 304 leave a body behind on the connection.
    response.shouldKeepAlive = false;
    response.writeHead(next.status, { ...next.headers }).end(next.body);
  });
});
afterAll(() => provider.close());

it('whatever a provider answers, the request ends in a usable token or a classified failure, and no secret is told', async () => {
  const requester = createTokenRequester({
    clock: systemClock,
    allowedOrigins: [provider.origin],
    deadlines: { totalMs: 3000 },
  });
  const presets = loadPresets();
  const secrets = { base_url: provider.origin, key: new Secret('key-of-canary'), secret: new Secret(canary) };
  const oauth = { token_url: provider.origin, client_id: 'a', client_secret: new Secret(canary) };
  const outcomes = new Set<string>();
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.constant(200), fc.constantFrom(400, 401, 429, 503), fc.integer({ min: 200, max: 999 })),
      headers,
      body,
      fc.boolean(),
      async (status, answerHeaders, text, asCapillary) => {
        next = { status, headers: answerHeaders, body: text };
        const definition = presets.get(asCapillary ? 'capillary' : 'oauth2-client-credentials')!.definition;
        try {
          const token = await requester.requestToken(definition, asCapillary ? secrets : oauth);
          outcomes.add('issued');
          expect(token.lifeSeconds).toBeGreaterThan(0);
          expect(Number.isFinite(token.lifeSeconds)).toBe(true);
          expect(token.accessToken.reveal()).toMatch(/^[\x21-\x7e]+$/);
          const { headers: _, ...rest } = token;
          expect(inspect(rest, { depth: Infinity, showHidden: true })).not.toContain(tokenCanary);
        } catch (error) {
          if (!(error instanceof ProviderError)) throw error;
          outcomes.add(error.code);
          const told = [
            error.message,
            JSON.stringify(error.failure),
            inspect(error, { depth: Infinity, showHidden: true }),
          ];
          for (const one of hidden) expect(told.join('\n')).not.toContain(one);
          expect(error.failure.providerWords?.length ?? 0).toBeLessThanOrEqual(300);
          expect(Object.values(error.failure).join(' ')).not.toMatch(/\p{Cc}/u);
          expect(error.failure.hint).toBeTruthy();
          expect(error.failure.retryAfterSeconds ?? 0).toBeGreaterThanOrEqual(0);
        }
      },
    ),
    { numRuns: 600 },
  );
  await requester.close();
  // The generator is worth its name only if it gets everywhere.
  expect([...outcomes].sort()).toEqual([
    'credentials_refused',
    'issued',
    'provider_misconfigured',
    'provider_unavailable',
    'throttled',
  ]);
}, 60_000);

it.each(['<', '<script', '<style>x</', 'eyJ', 'eyJhbGciOiJI.', 'token', '"', ' \u0000', 'canary/'])(
  'a body full of %j holds nobody up',
  async (piece) => {
    const requester = createTokenRequester({ clock: systemClock, allowedOrigins: [provider.origin] });
    const inputs = { token_url: provider.origin, client_id: 'a', client_secret: new Secret(canary) };
    for (const prefix of ['', '<']) {
      next = { status: 500, headers: {}, body: prefix + piece.repeat(60_000 / piece.length) };
      const started = performance.now();
      const failed = requester.requestToken(loadPresets().get('oauth2-client-credentials')!.definition, inputs);
      await expect(failed).rejects.toMatchObject({ code: 'provider_unavailable' });
      expect(performance.now() - started).toBeLessThan(500);
    }
    await requester.close();
  },
);
