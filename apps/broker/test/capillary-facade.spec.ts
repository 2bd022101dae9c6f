import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../../test/harness/root';
import { startSimulator } from '../../simulator/src/simulator';
import { type Answer, ask, type Fleet, startFleet, until } from './fleet';
import { acme } from './own-definitions';
import { type Issuer, startIssuer } from './issuer';

const run = promisify(execFile);
const path = '/v3/oauth/token/generate';
const unknownPair = { data: null, errors: [{ code: 320001, message: 'Invalid client key and secret' }] };

describe("the facade with Capillary's shape", () => {
  let fleet: Fleet;
  let issuer: Issuer;
  let url: string;
  let one: string;
  let many: string;
  beforeAll(async () => {
    issuer = await startIssuer();
    const simulator = await startSimulator({ port: 0 });
    const allowed = { AUDIT_READS: 'true', ALLOWED_PROVIDER_HOSTS: `${simulator.url},${issuer.url}` };
    fleet = await startFleet(1, allowed, { simulator });
    ({ url } = fleet.brokers[0]!);
    for (const name of ['eu', 'us', 'hidden', 'stopped']) await fleet.register(name);
    await fleet.admin('POST', '/v1/clients/stopped/disable');
    await fleet.admin('POST', '/v1/providers', { definition: acme('1') });
    const inputs = { base_url: issuer.url, client: 'bearer', secret: 'x' };
    await fleet.admin('POST', '/v1/clients', { name: 'bearer', provider: 'acme', inputs });
    one = await fleet.service('one', 'eu', 'bearer');
    many = await fleet.service('many', 'eu', 'us', 'stopped', 'bearer');
  });
  afterAll(async () => {
    await fleet.stop();
    await issuer.close();
  });

  const generate = (body: unknown, headers = {}): Promise<Answer> => ask(`${url}${path}`, 'POST', body, headers);
  const served = async (client: string, key: string) => (await fleet.token(client, key)).body.access_token;

  it("moves a program over that was written from Capillary's documentation: nothing but its base URL changes", async () => {
    const program = async (tokenBaseUrl: string) => {
      const env = {
        PATH: process.env['PATH']!,
        CAPILLARY_TOKEN_BASE_URL: tokenBaseUrl,
        CAPILLARY_API_BASE_URL: fleet.simulator.url,
        CAPILLARY_KEY: 'one',
        CAPILLARY_SECRET: one,
      };
      const { stdout } = await run(process.execPath, [join(root, 'test/capillary-program.mjs')], { env });
      return stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line));
    };
    const found = { success: 'true', code: '200', message: expect.any(String) };
    // Capillary itself knows the pair too, so that the base URL is all that differs.
    await fleet.control('PUT', '/clients/one', { secret: one });
    expect(await program(fleet.simulator.url)).toEqual([{ ttlSeconds: 300 }, found, found]);
    expect((await fleet.control('GET', '/clients/one')).calls).toBe(1);

    const before = await fleet.calls('eu');
    const [life, ...answers] = await program(url);
    expect(answers).toEqual([found, found]);
    expect(life.ttlSeconds).toBeLessThanOrEqual(270);
    // It was the broker's token of the client "eu", which asked nobody for it.
    expect((await fleet.calls('eu')).calls).toBe(before.calls);
    expect((await fleet.control('GET', '/clients/one')).calls).toBe(1);
    expect((await fleet.control('GET', '/clients/key-of-eu')).resource.calls).toBe(2);
  });

  it("answers in Capillary's documented shape, with the life that is left", async () => {
    const { status, headers, body } = await generate({ key: 'one', secret: one });
    const { body: token } = await fleet.token('eu', one);
    expect({ status, body }).toEqual({
      status: 200,
      body: { data: { accessToken: token.access_token, ttlSeconds: expect.any(Number) }, errors: null },
    });
    expect(Math.abs(body.data.ttlSeconds - token.expires_in)).toBeLessThanOrEqual(1);
    expect(headers.get('content-type')).toContain('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-cap-requestid')).toBe(headers.get('x-request-id'));
  });

  it('takes {service} where one client of Capillary is granted, and {service}/{client} always', async () => {
    for (const key of ['one', 'one/eu']) {
      expect((await generate({ key, secret: one })).body.data.accessToken).toBe(await served('eu', one));
    }
    expect((await generate({ key: 'many/us', secret: many })).body.data.accessToken).toBe(await served('us', many));
  });

  it.each([
    ['a wrong secret', 'one', 'tbk_nonsense'],
    ['an unknown service', 'nobody', 'ONE'],
    ['a key of another service', 'one', 'MANY'],
    ['a key of an admin', 'bootstrap', 'ADMIN'],
    ['NUL in the key', 'one\0', 'ONE'],
    ['a line break in the secret', 'one', 'ONE\r\nx: y'],
    ['a space before the secret', 'one', ' ONE'],
    ['an empty pair', '', ''],
    ['an over-long secret', 'one', 'x'.repeat(60_000)],
    ['a number as key', 1, 'ONE'],
    ['no secret', 'one', undefined],
    ['an object as secret', 'one', { $ne: null }],
  ])('refuses %s as Capillary refuses a pair that it does not know', async (_, key, given) => {
    const known: Record<string, string> = { ONE: one, MANY: many, ADMIN: fleet.env['BOOTSTRAP_ADMIN_KEY']! };
    const secret =
      typeof given === 'string' ? given.replace(/(?<=^ *)(ONE|MANY|ADMIN)/, (name) => known[name]!) : given;
    expect(await generate({ key, secret })).toMatchObject({ status: 401, body: unknownPair });
  });

  it.each([
    ['no client, where there are several', 'many', /3 clients of Capillary are granted to the service 'many'/],
    ['a client that is not granted', 'many/hidden', /no client "hidden" granted/],
    ['a client that there is not', 'many/nobody', /no client "nobody" granted/],
    ['what cannot be a name', 'many/../us', /no client "..\/us" granted/],
    ['NUL in a name', 'many/us\0', /no client "us\0" granted/],
    ['a disabled client', 'many/stopped', /"stopped" is disabled/],
    ['a client of another provider', 'many/bearer', /'bearer' is of another provider/],
  ])('tells a service with a valid key why, by the same code: %s', async (_, key, why) => {
    const { status, body } = await generate({ key, secret: many });
    expect([status, body.data, body.errors.length, body.errors[0].code]).toEqual([401, null, 1, 320001]);
    expect(body.errors[0].message).toMatch(/^Invalid client key and secret: /);
    expect(body.errors[0].message).toMatch(why);
    expect(JSON.stringify(body)).not.toContain(await served('bearer', many));
  });

  it('notes the tokens that it hands out where reads are audited, and no other', async () => {
    const key = await fleet.service('audited', 'us', 'bearer');
    expect((await generate({ key: 'audited/bearer', secret: key })).status).toBe(401);
    expect((await generate({ key: 'audited/us', secret: key })).status).toBe(200);
    const look = async () => (await fleet.admin('GET', '/v1/audit/reads?service=audited')).body.items;
    const read = await until(look, ({ length }) => length > 0);
    expect(read).toMatchObject([{ reads: 1, client: 'us' }]);
  });

  it.each<[string, unknown, object, number]>([
    ['malformed JSON', '{"key":', {}, 400],
    ['no body', '', {}, 400],
    ['null', 'null', {}, 400],
    ['a list', '[]', {}, 400],
    ['a form', 'key=one', { 'content-type': 'application/x-www-form-urlencoded' }, 415],
    ['YAML', 'key: one', { 'content-type': 'application/yaml' }, 415],
    ['more than 64 KB', JSON.stringify({ key: 'x'.repeat(70_000) }), {}, 413],
  ])('answers %s in its shape too', async (_, body, headers, status) => {
    const answer = await generate(body, headers);
    const error = { code: status, message: expect.any(String) };
    expect(answer).toMatchObject({ status, body: { data: null, errors: [error] } });
  });

  it('refuses key and secret in the URL, and does not write them down', async () => {
    const answer = await ask(`${url}${path}?key=one&secret=${one}`, 'POST', { key: 'one', secret: one }, {});
    expect(answer).toMatchObject({ status: 400, body: { data: null } });
    expect(fleet.brokers[0]!.output()).not.toContain(one);
  });

  it.each(['GET', 'PUT', 'DELETE', 'OPTIONS'])('answers %s with 405', async (method) => {
    const answer = await ask(`${url}${path}`, method, undefined, {});
    expect([answer.status, answer.headers.get('allow'), answer.body.data]).toEqual([405, 'POST', null]);
  });

  it('refuses 100 MB before they were sent', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json', 'content-length': 100 * 1024 * 1024 };
      const sent = request(`${url}${path}`, { method: 'POST', headers }, (answer) => {
        resolve(answer.statusCode);
        sent.destroy();
      });
      sent.on('error', reject);
      sent.write('{'); // and no more
    });
    expect(status).toBe(413);
  });

  it('says 503, and when to come back, while there is no token', async () => {
    await fleet.register('down', { verify: false, modes: { outage: 503 } });
    const key = await fleet.service('waits', 'down');
    const answer = await generate({ key: 'waits', secret: key });
    expect(answer).toMatchObject({ status: 503, body: { data: null, errors: [{ code: 503 }] } });
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
