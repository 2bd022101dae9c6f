import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { jwtVerify } from 'jose';
import { createTokenRequester, type IssuedToken, loadPresets, ProviderError, type TokenRequester } from '#providers';
import { Secret } from '#vault';
import { type LocalProvider, startProvider } from '../../../test/harness/local-provider';
import { holds } from '../src/failures/condition';
import { type ExpectedJwt, loadRecordings, pem, type RecordedAnswer, type Recording } from './recording.fixture';

const now = Date.parse('2026-01-15T12:00:00Z');
const presets = new Map([...loadPresets()].map(([id, { definition }]) => [id, definition]));
const recordings = loadRecordings();

let vendor: LocalProvider;
let requester: TokenRequester;
/** What the vendor answers to the requests to come, in order. */
let answers: RecordedAnswer[] = [];

beforeAll(async () => {
  vendor = await startProvider((_, response) => {
    const { status = 200, headers = {}, body = '' } = answers.shift() ?? { status: 418 };
    response.writeHead(status, { 'content-type': 'application/json', date: new Date(now).toUTCString(), ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  requester = createTokenRequester({
    clock: { now: () => now, monotonic: () => 0 },
    allowedOrigins: [vendor.origin],
    route: () => vendor.origin,
  });
});

beforeEach(() => vendor.received.splice(0));

afterAll(async () => {
  await requester.close();
  await vendor.close();
});

function inputsOf(id: string, given: Recording['inputs']): Record<string, string | Secret> {
  const { inputs } = presets.get(id)!;
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const text = textOf(value);
      return [name, inputs[name]?.secret ? new Secret(text) : text];
    }),
  );
}

function textOf(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value, (_, part: unknown) => keyOr(part));
  return keyOr(value) as string;
}

function keyOr(value: unknown): unknown {
  return typeof value === 'string' && value.startsWith('$') ? pem(value.slice(1)) : value;
}

function ask(id: string, recording: Recording, told: RecordedAnswer[]): Promise<IssuedToken> {
  answers = told;
  return requester.requestToken(presets.get(id)!, inputsOf(id, recording.inputs));
}

function documentedAnswers({ exchanges = [] }: Recording): RecordedAnswer[] {
  return exchanges.map(({ answer }) => answer);
}

async function expectRequests(recording: Recording): Promise<void> {
  for (const [index, { request }] of (recording.exchanges ?? []).entries()) {
    const { method, url, headers, body } = vendor.received[index]!;
    expect({ method, url: `https://${headers.host}${url}` }).toEqual({ method: request.method, url: request.url });
    for (const [name, value] of Object.entries(request.headers ?? {})) {
      expect([name, headers[name.toLowerCase()] ?? null]).toEqual([name, value]);
    }
    if (request.form) {
      expect(headers['content-type']).toMatch(/^application\/x-www-form-urlencoded/);
      await expectValues(Object.fromEntries(new URLSearchParams(body)), request.form);
    } else if (request.json) {
      expect(headers['content-type']).toMatch(/^application\/json/);
      expect(JSON.parse(body)).toEqual(request.json);
    } else expect(body).toBe('');
  }
}

async function expectValues(sent: Record<string, string>, expected: Record<string, unknown>): Promise<void> {
  expect(Object.keys(sent).sort()).toEqual(Object.keys(expected).sort());
  for (const [name, value] of Object.entries(expected)) await expectValue(sent[name]!, value);
}

async function expectValue(sent: string, expected: unknown): Promise<void> {
  const { jwt } = expected as { jwt?: ExpectedJwt };
  if (!jwt) return expect(sent).toBe(expected);
  const verified = await jwtVerify(sent, publicKey(jwt), { currentDate: new Date(now) });
  expect(verified.protectedHeader).toEqual(jwt.header);
  const claims = Object.entries(jwt.claims).map(([name, value]) => [name, value === '*' ? expect.any(String) : value]);
  const iat = now / 1000;
  expect(verified.payload).toEqual({ iat, exp: iat + jwt.ttl_s, ...Object.fromEntries(claims) });
}

function publicKey({ key }: ExpectedJwt): KeyObject {
  return typeof key === 'object' ? createSecretKey(key.hex, 'hex') : createPublicKey(pem(key));
}

async function expectToken(token: IssuedToken, { token: expected }: Recording): Promise<void> {
  const value = token.accessToken.reveal();
  await expectValue(value, expected.value);
  const filled = (texts: Record<string, string> = {}) =>
    Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, text.replace('$token', value)]));
  expect(token.lifeSeconds).toBe(expected.life_s === 'never' ? 315_360_000 : expected.life_s);
  expect(token.headers).toEqual(filled(expected.headers));
  expect(token.query ?? {}).toEqual(filled(expected.query));
  expect(token.cookies ?? {}).toEqual(filled(expected.cookies));
  expect(token.outputs ?? {}).toEqual(expected.outputs ?? {});
  expect({ scope: token.scope, id: token.providerRequestId }).toEqual({
    scope: expected.scope,
    id: expected.request_id,
  });
}

const shortly = (answer: RecordedAnswer): string => JSON.stringify(answer).slice(0, 90);
const conversations = [...recordings].flatMap(([id, of]) =>
  of.map((recording) => ({ id, title: recording.name ? `${id} ${recording.name}` : id, recording })),
);
const refusals = conversations.flatMap(({ id, recording }) =>
  (recording.refusals ?? []).map((refusal) => ({ id, recording, refusal, told: shortly(refusal.answer) })),
);
const deadTokens = conversations.flatMap(({ id, recording }) =>
  (recording.dead ?? []).map((answer) => ({ id, answer, told: shortly(answer) })),
);

describe('the presets', () => {
  // Those of plain OAuth 2.0 are tried on a real authorization server instead.
  const ids = [...presets.keys()].filter((id) => !id.startsWith('oauth2-'));

  it('have a recording each, and no recording is without a preset', () => {
    expect([...recordings.keys()].sort()).toEqual(ids.sort());
  });

  it.each(ids)(
    '%s: a refusal is recorded, unless the token is minted here, and what tells that a token is dead',
    (id) => {
      const minted = presets.get(id)!.steps === undefined;
      expect(refusals.some((refusal) => refusal.id === id)).toBe(!minted);
      expect(deadTokens.some((dead) => dead.id === id)).toBe(true);
    },
  );

  it.each(ids)("%s: a client's secrets go nowhere but to the vendor's own hosts", (id) => {
    const places = Object.values(presets.get(id)!.inputs).filter(({ format = '' }) => ['url', 'host'].includes(format));
    for (const { hosts, enum: values } of places) expect(hosts ?? values).toBeDefined();
  });

  it('stand in the reference, each once', () => {
    const page = readFileSync(join(__dirname, '../../../docs/reference/presets.md'), 'utf8');
    const rows = page.split('\n').flatMap((line) => /^\| `([a-z0-9-]+)`/.exec(line)?.[1] ?? []);
    expect(rows.filter((id) => !id.startsWith('oauth2-')).sort()).toEqual(ids.sort());
    for (const id of presets.keys()) expect(rows).toContain(id);
  });
});

describe('a preset', () => {
  it.each(conversations)(
    'sends the documented request, and makes a token of the answer: $title',
    async ({ id, recording }) => {
      const token = await ask(id, recording, documentedAnswers(recording));
      expect(vendor.received).toHaveLength(recording.exchanges?.length ?? 0);
      await expectRequests(recording);
      await expectToken(token, recording);
    },
  );

  it.each(refusals)(
    'tells what a documented refusal is: $id, $refusal.class, $told',
    async ({ id, recording, refusal }) => {
      const { exchange = 0, answer } = refusal;
      const told = [...documentedAnswers(recording).slice(0, exchange), answer];
      const error: unknown = await ask(id, recording, told).catch((caught: unknown) => caught);
      if (!(error instanceof ProviderError)) throw new Error('not a failure of the provider', { cause: error });
      expect({ code: error.code, hint: error.failure.hint }).toEqual({
        code: refusal.class,
        hint: expect.stringContaining(refusal.hint),
      });
      expect(vendor.received).toHaveLength(exchange + 1);
      for (const secret of Object.values(inputsOf(id, recording.inputs))) {
        if (secret instanceof Secret) expect(inspect(error, { depth: Infinity })).not.toContain(secret.reveal());
      }
    },
  );

  it.each(deadTokens)('knows by an answer of the API that its token is dead: $id, $told', ({ id, answer }) => {
    const { status = 200, headers = {}, body } = answer;
    const conditions = presets.get(id)!.renew?.invalid_when ?? [];
    const given = { status, headers, body, text: typeof body === 'string' ? body : JSON.stringify(body) };
    expect(conditions.some((condition) => holds(condition, given))).toBe(true);
  });
});
