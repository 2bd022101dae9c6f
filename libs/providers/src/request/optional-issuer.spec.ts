import { readDefinition } from '../language/read-definition';
import { loadPresets } from '../language/presets';
import { Conversation } from '../testing/conversation.fixture';
import { tokenHosts } from './token-hosts';

const talk = Conversation.forThisFile();

function definitionWith(url: string, audience = 'none') {
  return readDefinition(`
id: discovered
inputs: { token_url: { format: url, optional: true }, issuer: { format: url, optional: true }, client_id: {}, client_secret: { secret: true } }
discovery: { issuer: '{{inputs.issuer}}' }
steps: [{ id: t, method: POST, url: '${url}', body: { form: { id: '{{inputs.client_id}}', key: '{{inputs.client_secret}}', audience: '${audience}' } } }]
token: { value: '{{steps.t.body.t}}', expiry: [{ fixed_s: 60 }] }
present: {}
`).definition;
}

const either = definitionWith('{{ inputs.token_url | default: discovery.token_endpoint }}');

/** What was asked for, of an issuer that has metadata. */
async function asked(definition: typeof either, inputs: Record<string, string>): Promise<string[]> {
  const { origin } = talk.provider;
  const metadata = {
    issuer: origin,
    token_endpoint: `${origin}/found`,
    mtls_endpoint_aliases: { token_endpoint: `${origin}/found/mutual` },
  };
  talk.answer = (request, response) => {
    const body = request.url!.startsWith('/.well-known/') ? metadata : { t: 'tok' };
    response.end(JSON.stringify(body));
  };
  await talk.requester.requestToken(definition, { client_id: 'id', client_secret: 'canary', ...inputs });
  return talk.received.splice(0).map(({ url }) => url);
}

describe('the metadata of an issuer that may be left out', () => {
  it('are not asked for where a token URL is given in their stead', async () => {
    const { origin } = talk.provider;
    expect(await asked(either, { token_url: `${origin}/given` })).toEqual(['/given']);
    expect(await asked(either, { token_url: `${origin}/given`, issuer: origin })).toEqual(['/given']);
  });

  it('are asked for where anything else is taken from them', async () => {
    const { origin } = talk.provider;
    const definition = definitionWith(
      '{{ inputs.token_url | default: discovery.token_endpoint }}',
      '{{discovery.issuer}}',
    );
    const paths = await asked(definition, { token_url: `${origin}/given`, issuer: origin });
    expect(paths).toEqual(['/.well-known/openid-configuration', '/given']);
  });

  it('may name the endpoint inside of something, as mtls_endpoint_aliases do (RFC 8705 5)', async () => {
    const definition = definitionWith(
      '{{ discovery.mtls_endpoint_aliases.token_endpoint | default: discovery.token_endpoint }}',
    );
    expect((await asked(definition, { issuer: talk.provider.origin })).at(-1)).toBe('/found/mutual');
  });

  it('decide no more than where the issuer is: for its host, and for that of a token URL, secrets are sealed', () => {
    const hosts = (inputs: Record<string, string>) => tokenHosts(either, { client_id: 'id', ...inputs });
    expect(hosts({ issuer: 'https://issuer.example/tenant' })).toBe('issuer.example');
    expect(hosts({ token_url: 'https://tokens.example:8443/t' })).toBe('tokens.example:8443');
    const both = { issuer: 'https://issuer.example', token_url: 'https://tokens.example/t' };
    expect(hosts(both)).toBe('issuer.example,tokens.example');
  });

  it('are read under authorities that secrets are sealed for, too: whoever swaps them could pass for the host', () => {
    const oauth = loadPresets().get('oauth2-client-credentials')!.definition;
    const hosts = (more: object) =>
      tokenHosts(oauth, { client_id: 'id', token_url: 'https://tokens.example/t', ...more });
    const one = hosts({ ca_certificate: '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----' });
    expect(hosts({})).toBe('tokens.example');
    expect(one).toMatch(/^ca:[0-9a-f]{64},tokens\.example$/);
    expect(hosts({ ca_certificate: '-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\n' })).toBe(one);
    expect(hosts({ ca_certificate: '-----BEGIN CERTIFICATE-----\nMIIC\n-----END CERTIFICATE-----' })).not.toBe(one);
  });

  it('that are missing together with the token URL are told as that, with what would have named it', async () => {
    const pending = talk.requester.requestToken(either, { client_id: 'id', client_secret: 'canary' });
    await expect(pending).rejects.toMatchObject({
      code: 'provider_misconfigured',
      message: expect.stringContaining('{{ inputs.token_url | default: discovery.token_endpoint }}'),
    });
    expect(talk.received).toHaveLength(0);
  });
});
