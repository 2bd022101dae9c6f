import { readDefinition } from '#providers';
import type { ServableToken } from '#tokens';
import { CannotOpen, Secret } from '#vault';
import { ClientApis } from './client-api';

const { definition } = readDefinition(`id: acme
inputs: { base_url: { format: url }, pass: { secret: true } }
steps: [{ id: t, method: POST, url: '{{inputs.base_url}}/t', body: { form: { pass: '{{inputs.pass}}' } } }]
token: { value: '{{steps.t.body.token}}', expiry: [{ fixed_s: 60 }] }
present: { headers: { X-Token: '{{token}}' } }
api: { base_url: '{{inputs.base_url}}' }
`);

describe('where a token may be sent', () => {
  let opened: number;
  let client: { secretVersion: number; inputs: () => Promise<Record<string, string | Secret>> } | undefined;
  const apis = new ClientApis(
    { client: async () => client && ({ id: 'c', provider: 'acme', definition, version: 1, ...client } as never) },
    { allowedOrigins: [] },
  );
  const token = (secretVersion = 1) => ({ clientId: 'c', generation: '1', secretVersion }) as ServableToken;
  beforeEach(() => {
    opened = 0;
    const inputs = async () => {
      opened++;
      return { base_url: 'https://api.example', pass: new Secret('p') };
    };
    client = { secretVersion: 1, inputs };
  });

  it('is found out once for each token', async () => {
    const one = token();
    await Promise.all([apis.of(one), apis.of(one)]);
    expect(await apis.of(one)).toMatchObject({
      provider: 'acme',
      api: { origin: 'https://api.example', basePath: '' },
    });
    expect(opened).toBe(1);
  });

  it('is not told of a token that was got with other secrets, which may belong to another host', async () => {
    const old = token(0);
    await expect(apis.of(old)).rejects.toMatchObject({ code: 'token_unavailable', reason: 'renewing' });
    expect(opened).toBe(0);
  });

  it('is not told where the stored inputs cannot be trusted, and is looked for again when they can', async () => {
    const one = token();
    const { inputs } = client!;
    client!.inputs = () => Promise.reject(new CannotOpen('what is stored cannot be opened'));
    await expect(apis.of(one)).rejects.toMatchObject({ code: 'token_unavailable', reason: 'cannot_open' });
    client!.inputs = inputs;
    expect(await apis.of(one)).toMatchObject({ provider: 'acme' });
  });

  it('is not told of a client that is gone', async () => {
    client = undefined;
    await expect(apis.of(token())).rejects.toMatchObject({ code: 'not_found' });
  });
});
