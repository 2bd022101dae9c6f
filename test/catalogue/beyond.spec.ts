import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { type ProviderError, createTokenRequester, readDefinition } from '#providers';
import { certificate, certifiedKey, withKeys } from './beyond-keys';
import { proofs } from './beyond-proofs';
import { Conversation, now } from './conversation';
import { type Exchange, type RecordedAnswer, RecordedIssuer, matches } from './recorded-issuer';
import { type StubServer, startStubServer } from './stub-server';

/** What is written beside a definition: what a client has, what was asked and answered, what comes of it. */
interface Recording {
  given: Record<string, unknown>;
  exchanges?: Exchange[];
  token: string;
  life_s: number;
  presented: { headers?: Record<string, string>; query?: Record<string, string>; cookies?: Record<string, string> };
  outputs?: Record<string, string>;
  refusals?: { answer: RecordedAnswer; code: string }[];
}

const folder = join(__dirname, 'beyond');
const files = readdirSync(folder).filter((name) => name.endsWith('.yaml'));
const issuers = files.map((file): [string, string, Recording] => {
  const text = readFileSync(join(folder, file), 'utf8');
  const [definition = '', recording = ''] = text.split(/^---$/m);
  return [file.replace('.yaml', ''), definition, parseAllDocuments(recording)[0]!.toJS() as Recording];
});

/** JSON inputs are given as text, like all others. */
function inputsOf({ given }: Recording): Record<string, string> {
  const entries = Object.entries(withKeys(given));
  return Object.fromEntries(
    entries.map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
  );
}

describe('an issuer that the catalogue does not know', () => {
  const talk = Conversation.forThisFile();
  let tls: StubServer;
  beforeAll(async () => {
    tls = await startStubServer({ cert: certificate, key: certifiedKey, requestCert: true, ca: certificate });
  });
  afterAll(() => tls.close());

  async function ask(definition: string, recording: Recording, exchanges: readonly Exchange[]) {
    const issuer = new RecordedIssuer(exchanges, now);
    talk.server.issuer = issuer;
    tls.issuer = issuer;
    const requester = createTokenRequester({
      clock: { now: () => now, monotonic: () => now },
      allowedOrigins: [talk.server.origin, tls.origin, 'http://169.254.169.254'],
      route: (origin) => (origin.includes('cluster.acme.example') ? tls.origin : talk.server.origin),
    });
    try {
      const outcome = await requester
        .requestToken(readDefinition(definition).definition, inputsOf(recording))
        .catch((error: ProviderError) => error);
      return { outcome, issuer };
    } finally {
      await requester.close();
    }
  }

  it.each(issuers)('%s is asked as its documentation says, and its token is presented so', async (...row) => {
    const [name, definition, recording] = row;
    const { outcome, issuer } = await ask(definition, recording, recording.exchanges ?? []);
    expect(issuer.complaints).toEqual([]);
    if (outcome instanceof Error) throw outcome;
    expect(issuer.isDone).toBe(true);
    const { accessToken, lifeSeconds, outputs } = outcome;
    expect(accessToken.reveal()).toEqual(
      matches(accessToken.reveal(), recording.token) ? expect.anything() : recording.token,
    );
    expect(Math.abs(lifeSeconds - recording.life_s)).toBeLessThanOrEqual(1);
    expect(outputs ?? {}).toEqual(recording.outputs ?? {});
    const { headers = {}, query = {}, cookies = {} } = recording.presented;
    const lower = Object.entries(outcome.headers).map(([header, value]) => [header.toLowerCase(), value]);
    const presented = {
      headers: Object.fromEntries(lower),
      query: outcome.query ?? {},
      cookies: outcome.cookies ?? {},
    };
    const isRight = matches(presented, { headers, query, cookies });
    expect(isRight ? 'as recorded' : presented).toEqual(isRight ? 'as recorded' : { headers, query, cookies });
    await proofs[name]?.(issuer.received, outcome);
  });

  const refusals = issuers.flatMap(([name, definition, recording]) =>
    (recording.refusals ?? []).map(({ answer, code }, index) => ({ name, definition, recording, answer, code, index })),
  );

  it.each(refusals)('$name says $code by its answer $index', async ({ definition, recording, answer, code }) => {
    const { outcome } = await ask(definition, recording, [{ ...recording.exchanges![0]!, answer }]);
    expect(outcome).toMatchObject({ code });
  });
});
