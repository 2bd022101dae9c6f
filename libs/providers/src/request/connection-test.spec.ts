import { readDefinition } from '../language/read-definition';
import { Conversation, capillary, clientSecret } from '../testing/conversation.fixture';

const talk = Conversation.forThisFile();
const inputs = () => ({ base_url: talk.provider.origin, key: 'canary-key', secret: clientSecret });

describe('a connection test', () => {
  it('shows each step as it was sent and answered, and what was made of it, with everything secret masked', async () => {
    talk.answer = {
      headers: { 'set-cookie': 'sid=canarycookie', 'x-cap-requestid': 'req-1' },
      body: {
        data: { accessToken: 'canary-token-1', ttlSeconds: 300, refreshToken: 'canary-refresh', note: 'welcome' },
        errors: null,
        blob: 'canary0123456789abcdefghijklmnop',
        echo: `you sent ${clientSecret}`,
      },
    };
    const test = await talk.requester.tryOut(capillary, inputs());
    expect(test).toMatchObject({
      ok: true,
      steps: [
        {
          id: 'generate',
          request: { method: 'POST', url: `${talk.provider.origin}/v3/oauth/token/generate` },
          answer: { status: 200, headers: { 'x-cap-requestid': 'req-1' } },
        },
      ],
      extracted: { lifeSeconds: 300, token: '[token, 14 characters]' },
    });
    const [step] = test.steps;
    expect(JSON.parse(step!.request.body!)).toEqual({ key: '[secret]', secret: '[secret]' });
    const answer = JSON.parse(step!.answer!.body);
    expect(answer.data).toEqual({
      accessToken: '[secret]',
      ttlSeconds: 300,
      refreshToken: '[hidden, 14 characters]',
      note: 'welcome',
    });
    expect(answer.echo).toBe('you sent [secret]');
    expect(JSON.stringify(test)).not.toContain('canary');
  });

  it('shows why it failed, at the step where it did', async () => {
    talk.answer = {
      status: 401,
      body: { data: null, errors: [{ code: 320001, message: 'Invalid client key and secret' }] },
    };
    const test = await talk.requester.tryOut(capillary, inputs());
    expect(test).toMatchObject({
      ok: false,
      failure: { code: 'credentials_refused', providerStatus: 401, hint: expect.stringContaining('base_url') },
      steps: [{ id: 'generate', answer: { status: 401 } }],
    });
    expect(test).not.toHaveProperty('extracted');
  });

  it('shows the request of a step that got no answer, and none where nothing could be sent', async () => {
    talk.answer = (request) => request.socket.resetAndDestroy();
    const cut = await talk.requester.tryOut(capillary, inputs());
    expect(cut).toMatchObject({ ok: false, steps: [{ id: 'generate' }], failure: { code: 'provider_unavailable' } });
    expect(cut.steps[0]).not.toHaveProperty('answer');
    const private_ = await talk.requester.tryOut(capillary, { ...inputs(), base_url: 'https://10.0.0.1' });
    expect(private_).toMatchObject({
      ok: false,
      steps: [],
      failure: { code: 'provider_misconfigured', reached: false },
    });
  });

  it('masks the parts of a JSON input', async () => {
    const { definition } = readDefinition(`
id: file
inputs: { base: { format: url }, file: { format: json, secret: true } }
steps: [{ id: s, method: POST, url: '{{inputs.base}}/t', body: { json: { id: '{{inputs.file.id}}', key: '{{inputs.file.inner.key}}', all: '{{inputs.file.inner}}' } } }]
token: { value: '{{steps.s.body.t}}', expiry: [{ fixed_s: 60 }] }
present: {}
`);
    talk.answer = { status: 400, body: { error: 'bad key canary-part-1 of canary-part-2' } };
    const file = JSON.stringify({ id: 'canary-id', inner: { key: 'canary-part-1', list: ['canary-part-2'] } });
    const test = await talk.requester.tryOut(definition, { base: talk.provider.origin, file });
    expect(test.failure?.providerWords).toBe('{"error":"bad key [secret] of [secret]"}');
    expect(JSON.stringify(test)).not.toContain('canary');
  });

  it('masks what stands in a URL, in Basic, in XML and in text', async () => {
    const { definition } = readDefinition(`
id: leaky
inputs: { base: { format: url }, user: {}, pass: { secret: true } }
values: { sum: '{{ inputs.pass | sha256 }}', again: '{{ values.sum | append: "x" | sha256 }}' }
steps:
  - { id: a, method: GET, url: '{{inputs.base}}/a', query: { p: '{{inputs.pass}}' }, secrets_in_url: true, basic: { user: '{{inputs.user}}', pass: '{{inputs.pass}}' } }
  - { id: b, method: POST, url: '{{inputs.base}}/b', response: xml, headers: { x-sum: '{{values.sum}}', x-again: '{{ values.again | base64 }}' }, body: { xml: '<login pass="{{inputs.pass}}" user="{{inputs.user}}"/>' } }
token: { value: '{{steps.b.body.r.token}}', expiry: [{ fixed_s: 60 }] }
present: { headers: { x-token: '{{token}}', x-key: '{{inputs.pass}}' } }
`);
    talk.answer = (request, response) =>
      void response
        .writeHead(200)
        .end(
          request.method === 'GET'
            ? '{"a":1}'
            : '<r><token>canarytoken.9</token><other>canaryA1b2C3d4E5f6G7h8I9j0K1</other></r>',
        );
    const test = await talk.requester.tryOut(definition, {
      base: talk.provider.origin,
      user: 'me',
      pass: `canary&"'!7`,
    });
    expect(test.ok).toBe(true);
    const shown = JSON.stringify(test);
    const digest = '{{ x }}';
    expect(shown).not.toContain(digest);
    for (const leak of ['canary', encodeURIComponent(`canary&"'!7`), btoa(`me:canary&"'!7`)])
      expect(shown).not.toContain(leak);
    expect(test.steps[0]!.request.headers['authorization']).toBe('Basic [secret]');
    expect(test.steps[1]!.request.headers['x-sum']).toBe('[secret]');
    expect(test.steps[1]!.request.headers['x-again']).toBe('[secret]');
    expect(test.steps[1]!.request.body).toBe('<login pass="[secret]" user="me"/>');
  });
});
