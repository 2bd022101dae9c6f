import { readDefinition } from '#providers';
import { CannotOpen, KeyRing, newMasterKey, Secret, Vault } from '#vault';
import { type Inputs, InputsInMemory, sealInputs } from './sealed-inputs';

describe('inputs in memory', () => {
  const { definition } = readDefinition(`
id: p
title: P
inputs: { key: {}, secret: { secret: true } }
steps: [{ id: token, method: POST, url: 'https://p.example/token', body: { form: { key: '{{inputs.key}}' } } }]
token: { value: '{{steps.token.body.token}}', expiry: [{ fixed_s: 60 }] }
present: { headers: { authorization: 'Bearer {{token}}' } }
`);
  const inputs: Inputs = {
    definition: { definition, provider: 'p', preset: true, version: 1, digest: 'd' } as Inputs['definition'],
    plain: { key: 'k' },
    secret: { secret: new Secret('s') },
  };
  const place = { clientId: 'c', secretVersion: 1 };
  const vault = new Vault(KeyRing.parse(newMasterKey('k')));
  const revealed = async (kept: InputsInMemory) => {
    const { key, secret } = await kept.open();
    return [key, (secret as Secret).reveal()];
  };

  it('open again and again: what is in the database once only, from then on what is sealed here', async () => {
    const [open, openToken] = [jest.spyOn(vault, 'open'), jest.spyOn(vault, 'openToken')];
    const kept = new InputsInMemory(vault, place, inputs, await sealInputs(vault, place, inputs));
    for (let time = 0; time < 3; time++) expect(await revealed(kept)).toEqual(['k', 's']);
    expect([open, openToken].map(({ mock }) => mock.calls.length)).toEqual([1, 2]);
  });

  it('are opened as soon as they can be, where they could not', async () => {
    const sealed = await sealInputs(vault, place, inputs);
    const kept = new InputsInMemory(vault, { ...place, secretVersion: 2 }, inputs, sealed);
    for (let time = 0; time < 2; time++) await expect(kept.open()).rejects.toThrow(CannotOpen);
    jest.spyOn(vault, 'open').mockRejectedValueOnce(new CannotOpen());
    const later = new InputsInMemory(vault, place, inputs, sealed);
    await expect(later.open()).rejects.toThrow(CannotOpen);
    expect(await revealed(later)).toEqual(['k', 's']);
  });
});
