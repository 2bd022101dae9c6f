import { Authority, type Subject } from './authority';
import { Scene } from './scene';

const preset = 'oauth2-client-credentials';
const client_secret = 'canary-s3cret';

function issuerWith(subject: Subject) {
  const scene = Scene.forThisFile({ subject });
  const inputs = async (more: Record<string, string | undefined> = {}) => ({
    client_id: await scene.client({ client_secret }),
    client_secret,
    ...more,
  });
  return { scene, inputs };
}

describe('a provider with a certificate of an authority of its own', () => {
  const { scene, inputs } = issuerWith({ subject: 'CN=localhost', dns: ['localhost'] });

  it('is not sent a secret unless the client names the authority', async () => {
    const refused = await scene.refusal(preset, await inputs({ ca_certificate: undefined }));
    expect(refused).toMatchObject({ code: 'provider_unavailable', asked: [] });
    expect(refused.hint).toMatch(/authority/);
    expect(await scene.token(preset, await inputs())).toMatchObject({ lifeSeconds: 600 });
  });

  it('is not sent a secret for another authority, be its name the same', async () => {
    const { certificate } = await Authority.create('Scene');
    const refused = await scene.refusal(preset, await inputs({ ca_certificate: certificate }));
    expect(refused).toMatchObject({ code: 'provider_unavailable', asked: [] });
    expect(refused.hint).toMatch(/authority/);
  });

  it('is trusted for the client that names the authority, and for no other client after it', async () => {
    const named = await inputs();
    const unnamed = await inputs({ ca_certificate: undefined });
    for (let round = 0; round < 3; round++) {
      expect(await scene.token(preset, named)).toMatchObject({ lifeSeconds: 600 });
      const refused = await scene.refusal(preset, unnamed);
      expect(refused.code).toBe('provider_unavailable');
      expect(refused.asked).toHaveLength(1);
    }
  });

  it('is not even asked for its metadata by a client that does not name the authority, whatever others were told', async () => {
    const { issuer } = scene;
    expect(await scene.token(preset, await inputs({ token_url: undefined, issuer: issuer.origin }))).toBeTruthy();
    await issuer.asked();
    const unnamed = { token_url: undefined, issuer: issuer.origin, ca_certificate: undefined };
    const refused = await scene.refusal(preset, await inputs(unnamed));
    expect(refused).toMatchObject({ code: 'provider_unavailable', asked: [] });
    const { steps } = await scene.tryOut(preset, await inputs(unnamed));
    expect(steps).toMatchObject([{ id: 'discovery' }]);
    expect(steps[0]).not.toHaveProperty('answer');
  });

  it('may be one of several that are named', async () => {
    const { certificate } = await Authority.create('Another');
    const ca_certificate = `${certificate}\n${scene.authority.certificate}`;
    expect(await scene.token(preset, await inputs({ ca_certificate }))).toMatchObject({ lifeSeconds: 600 });
  });
});

describe.each<[string, Subject, RegExp]>([
  ['for another host', { subject: 'CN=elsewhere.example', dns: ['elsewhere.example'] }, /another host/],
  ['that has expired', { subject: 'CN=localhost', dns: ['localhost'], fromHours: -48, toHours: -24 }, /expired/],
  [
    'that is not valid yet',
    { subject: 'CN=localhost', dns: ['localhost'], fromHours: 24, toHours: 48 },
    /not valid yet/,
  ],
])('a provider with a certificate %s', (_, subject, hint) => {
  const { scene, inputs } = issuerWith(subject);

  it('is not sent a secret, though its authority is trusted', async () => {
    const refused = await scene.refusal(preset, await inputs());
    expect(refused).toMatchObject({ code: 'provider_unavailable', asked: [] });
    expect(refused.hint).toMatch(hint);
  });
});
