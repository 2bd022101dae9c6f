import { readDefinition } from '../language/read-definition';
import { definitionOf } from '../testing/acme.fixture';
import { type Answer, Conversation } from '../testing/conversation.fixture';
import type { ConnectionTest } from './connection-test';

const talk = Conversation.forThisFile();
const opaque = 'Canary0123456789abcdefghijk';

function tryOut(answer: Answer, step: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  talk.answer = answer;
  const { definition } = readDefinition(definitionOf(more, step));
  return talk.requester.tryOut(definition, { base: talk.provider.origin, pass: 'canary-pass' });
}

const told = (test: ConnectionTest) => JSON.stringify(test);

describe('what an answer holds of somebody else', () => {
  it.each<[string, unknown]>([
    ['in an object that is named like a secret', { refresh_token: { value: 'canary' } }],
    ['in a list that is named like secrets', { session_ids: ['canary', 'canary2'] }],
    ['as a number', { session: 123456 }],
    ['in the query of a URL', { next: `https://a.example/cb?x=1#access_token=canary` }],
    ['in JSON within JSON', { message: '{"refresh_token":"canary"}' }],
    ['beside the token that was asked for', { refresh_token: 'tok-1234.canary' }],
    ['in a form', 'token=tok-1234&refresh_token=canary'],
  ])('is not shown by a connection test %s', async (_, body) => {
    const answer = typeof body === 'string' ? body : { token: 'tok-1234', ...(body as object) };
    const step = typeof body === 'string' ? { response: 'form' } : {};
    const test = await tryOut({ body: answer }, step);
    expect(test.ok).toBe(true);
    expect(told(test)).not.toMatch(/canary|123456/i);
  });

  it('is not shown in part where a long text is cut', async () => {
    const test = await tryOut({ status: 500, body: `${'a '.repeat(1990)}${opaque}` });
    expect(test.steps[0]!.answer!.body).toMatch(/a \[hidden, 27 c.*…$/);
    expect(told(test)).not.toContain('Canary');
  });

  it('is not shown in XML, in headers, in cookies or in what is taken from it', async () => {
    const token = {
      value: '{{steps.s.body.r.token}}',
      outputs: { sid: '{{steps.s.body.r.sid}}' },
      expiry: [{ fixed_s: 60 }],
    };
    const answer = {
      headers: {
        'set-cookie': 'a=tok-1234; Path=/; HttpOnly, b=canary',
        location: `https://a.example/cb?access_token=${opaque}`,
        'x-request-id': 'req-0123456789-0123456789-0123456789',
      },
      body: `<r><token>tok-1234</token><refreshToken>canary</refreshToken><u password="canary"/><sid>${opaque}</sid></r>`,
    };
    const present = { headers: { 'x-sid': '{{outputs.sid}}', 'x-token': '{{token}}' } };
    const test = await tryOut(answer, { response: 'xml' }, { token, present });
    expect(test.ok).toBe(true);
    expect(told(test)).not.toMatch(/canary/i);
    expect(test.steps[0]!.answer!.headers).toMatchObject({
      'set-cookie': 'a=[secret]; Path=/; HttpOnly, b=[hidden]',
      location: expect.stringMatching(/^https:\/\/a\.example\/cb\?access_token=\[(hidden|secret)/),
      'x-request-id': answer.headers['x-request-id'],
    });
  });
});

it('what one step hands to the next is neither shown by a connection test nor quoted by the provider', async () => {
  const given = { sid: '{{steps.a.body.sid}}', to: '{{steps.a.body.session}}', by: '{{steps.a.cookies.c.value}}' };
  const steps = [
    { id: 'a', method: 'POST', url: '{{inputs.base}}/a' },
    { id: 's', method: 'POST', url: '{{inputs.base}}/b', query: given, headers: given, body: { json: given } },
  ];
  const session = 'canary-session';
  const answer: Answer = (request, response) => {
    const isFirst = request.url === '/a';
    response.writeHead(isFirst ? 200 : 400, { 'set-cookie': 'c=canary-cookie' });
    response.end(JSON.stringify(isFirst ? { sid: opaque, session } : { message: `no: ${session} ${opaque}` }));
  };
  const test = await tryOut(answer, {}, { steps });
  expect(test.failure?.providerWords).toBe('{"message":"no: [secret] [secret]"}');
  expect(told(test)).not.toMatch(/canary/i);
});
