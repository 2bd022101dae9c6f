import { readDefinition } from '#providers';
import { CannotOpen, Secret } from '#vault';
import type { ClientRecord, DefinitionVersion } from '#registry';
import { Problem } from '../problem';
import { reuseFaults } from './inputs';
import { Registration } from './registration';

const acme = {
  id: 'acme',
  inputs: { secret: { secret: true } as object },
  steps: [{ id: 's', method: 'POST', url: 'https://acme.example/t', body: { form: { p: '{{inputs.secret}}' } } }],
  token: { value: '{{steps.s.body.token}}', expiry: [{ in: '{{steps.s.body.ttl}}' } as object, { fixed_s: 60 }] },
  present: { headers: { Authorization: 'Bearer {{token}}' } },
};
const read = (definition: object) => readDefinition(JSON.stringify(definition)).definition;

describe('a stored secret', () => {
  it.each([
    ['a host', { format: 'host', hosts: ['acme.example'] }],
    ['a URL', { format: 'url' }],
    ['one of a list', { enum: ['a-guess'] }],
  ])(
    'is not told by what is wrong with it as %s, where a version of the definition takes it for that',
    async (_, spec) => {
      const after = { definition: read({ ...acme, inputs: { secret: spec } }), provider: 'acme', version: 2 };
      const registration = new Registration({
        definitions: { choose: async () => after as DefinitionVersion } as never,
        clients: {} as never,
        loaded: {
          load: async () => ({ definition: read(acme), inputs: async () => ({ secret: new Secret('canary.s3cret') }) }),
        } as never,
        ...{ tokens: {} as never, requestToken: () => Promise.reject(new CannotOpen()), allowedOrigins: [] },
        logger: {} as never,
      });
      const client = { name: 'c', provider: 'acme', version: 1, inputs: {} } as unknown as ClientRecord;
      const moved = registration.change(client, 1, { provider_version: 2 }, false, { actor: 'a' });
      const problem: unknown = await moved.catch((error: unknown) => error);
      expect(problem).toBeInstanceOf(Problem);
      expect(problem).toMatchObject({ code: 'secrets_required' });
      expect(JSON.stringify({ ...(problem as Problem) })).not.toMatch(/canary/);
    },
  );

  it.each([
    ['in', { in: '{{ inputs.secret | slice: 0, 2 | hex }}' }],
    ['at', { at: '{{ inputs.secret | slice: 0, 2 | hex }}' }],
    ['by way of a value', { in: '{{ values.v }}' }],
  ])('is not told by the life of a token, %s', (_, entry) => {
    const expiry = [entry, { fixed_s: 60 }];
    const values = { v: '{{ inputs.secret | slice: 0, 2 | hex }}' };
    const after = read({ ...acme, values, token: { ...acme.token, expiry } });
    const faults = reuseFaults({ definition: read(acme), plain: {} }, { definition: after, plain: {} }, ['secret']);
    expect(faults).toEqual([{ pointer: '/inputs/secret', detail: expect.stringMatching(/what services get/) }]);
  });
});
