import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from '../../../test/harness/broker';
import { provisioned } from '../../../test/harness/provisioned';
import { ask, type Fleet, startFleet } from './fleet';
import { type Issuer, startIssuer } from './issuer';

const root = join(__dirname, '..', '..', '..');

describe('an update of the broker that brings another text of a preset', () => {
  let folder: string;
  let issuer: Issuer;
  let fleet: Fleet;
  beforeAll(async () => {
    issuer = await startIssuer();
    issuer.answer = () => ({ body: { data: { accessToken: 'a-token', ttlSeconds: 300 }, errors: null } });
    fleet = await startFleet(1, { ALLOWED_PROVIDER_HOSTS: issuer.url });
    folder = mkdtempSync(join(tmpdir(), 'token-broker-update-'));
    await provisioned('build');
    cpSync(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
    for (const name of ['package.json', 'node_modules', 'docs', 'prisma'])
      symlinkSync(join(root, name), join(folder, name));
    const preset = join(folder, 'dist', 'libs', 'providers', 'presets', 'capillary.yaml');
    const text = readFileSync(preset, 'utf8').replace('/v3/oauth/token/generate', '/v4/oauth/token/generate');
    writeFileSync(preset, text);
  });
  afterAll(async () => {
    await fleet.stop();
    await issuer.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it('changes no client, gives new ones the new text, and moves the others when they are moved', async () => {
    const headers = { authorization: `Bearer ${fleet.env['BOOTSTRAP_ADMIN_KEY']}`, 'if-match': '*' };
    const inputs = { base_url: issuer.url, key: 'k', secret: 's' };
    const create = (url: string, name: string) =>
      ask(`${url}/v1/clients`, 'POST', { name, provider: 'capillary', inputs }, headers);
    const patch = (url: string, name: string, body: object) => ask(`${url}/v1/clients/${name}`, 'PATCH', body, headers);
    const lastPath = () => issuer.received.at(-1)!.url;
    const old = fleet.brokers[0]!.url;
    expect(await create(old, 'before')).toMatchObject({ status: 201, body: { provider_version: 1 } });

    const updated = await startBroker({
      env: fleet.env,
      script: join(folder, 'dist', 'apps', 'broker', 'src', 'main.js'),
    });
    try {
      const { url } = updated;
      const get = (path: string) => ask(`${url}${path}`, 'GET', undefined, headers);
      expect(await patch(url, 'before', { inputs: { secret: 'another' } })).toMatchObject({
        status: 200,
        body: { provider_version: 1, provider_version_latest: 2 },
      });
      expect(lastPath()).toBe('/v3/oauth/token/generate');
      expect(await create(url, 'after')).toMatchObject({ status: 201, body: { provider_version: 2 } });
      expect(lastPath()).toBe('/v4/oauth/token/generate');
      // Side by side the old replica goes on with its own text, and knows the new one where a client has it.
      expect(await create(old, 'meanwhile')).toMatchObject({ status: 201, body: { provider_version: 1 } });
      expect(lastPath()).toBe('/v3/oauth/token/generate');
      expect(await patch(old, 'after', { inputs: {} })).toMatchObject({ status: 200, body: { provider_version: 2 } });
      expect(lastPath()).toBe('/v4/oauth/token/generate');
      expect(await patch(url, 'before', { provider_version: 2 })).toMatchObject({ status: 200 });
      expect(lastPath()).toBe('/v4/oauth/token/generate');
      const { items } = (await get('/v1/providers/capillary/versions')).body;
      expect(items).toMatchObject([
        { version: 2, preset: true, created_by: 'broker', clients: 2 },
        { version: 1, preset: true, created_by: 'broker', clients: 1 },
      ]);
    } finally {
      await updated.stop();
    }
  }, 60_000);
});
