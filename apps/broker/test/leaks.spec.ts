import { Redis } from 'ioredis';
import { Client } from 'pg';
import { ask, type Fleet, startFleet, until } from './fleet';
import { listen } from './listening';

const secretCanary = 'canary/Secret+7f3a9c%41';
const keyCanary = 'canary-client-key-51d2';

/** The ways in which a text may stand somewhere without standing there as it is. */
function guises(text: string): string[] {
  const bytes = Buffer.from(text);
  const inBase64 = bytes.toString('base64').replace(/=+$/, '').slice(0, -1);
  return [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1), bytes.toString('hex'), inBase64];
}

function findIn(haystack: string, canaries: Record<string, string>): string[] {
  return Object.entries(canaries).flatMap(([name, text]) =>
    guises(text).some((guise) => haystack.includes(guise)) ? [name] : [],
  );
}

/** Every row of every table, as text; `bytea` in hex. */
async function dumpPostgres(url: string): Promise<string> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const tables = await client.query<{ name: string }>(
      `SELECT quote_ident(table_name) AS name FROM information_schema.tables WHERE table_schema = 'public'`,
    );
    let dump = '';
    for (const { name } of tables.rows) {
      const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM ${name} t`);
      dump += `${name}\n${rows.map(({ row }) => row).join('\n')}\n`;
    }
    return dump;
  } finally {
    await client.end();
  }
}

/** Every key with its value, as bytes read in Latin-1 so that none is lost. */
async function dumpRedis(url: string): Promise<string> {
  const redis = new Redis(url);
  try {
    let dump = '';
    for (const key of await redis.keys('*')) {
      dump += `${key}\n`;
      const type = await redis.type(key);
      if (type === 'hash')
        dump += Object.entries(await redis.hgetallBuffer(key))
          .map(([k, v]) => `${k}=${v.toString('latin1')}`)
          .join('\n');
      else if (type === 'zset') dump += (await redis.zrange(key, '0', '-1')).join('\n');
      else if (type === 'string') dump += (await redis.getBuffer(key))!.toString('latin1');
      else if (type === 'list') dump += (await redis.lrangeBuffer(key, 0, -1)).join('\n');
      else throw new Error(`${key} is a ${type}, which is not looked into`);
    }
    return dump;
  } finally {
    redis.disconnect();
  }
}

describe('no canary is found', () => {
  let fleet: Fleet;
  let canaries: Record<string, string>;
  let answers = '';
  const see = <T extends { body: unknown }>(answer: T): T => {
    answers += `${JSON.stringify(answer.body)}\n`;
    return answer;
  };

  beforeAll(async () => {
    fleet = await startFleet(1, { LOG_LEVEL: 'trace' });
    const inputs = { base_url: fleet.simulator.url, key: keyCanary, secret: secretCanary };
    await fleet.control('PUT', `/clients/${keyCanary}`, { secret: secretCanary, ttl_seconds: 60 });
    see(await fleet.admin('POST', '/v1/clients', { name: 'eu', provider: 'capillary', inputs }));
    const serviceKey = await fleet.service('reader', 'eu');
    const token: string = (await fleet.token('eu', serviceKey)).body.access_token;
    const adminIssued = (await fleet.admin('POST', '/v1/admin-keys', { name: 'viewer', role: 'viewer' })).body.key;
    canaries = {
      secretCanary,
      keyCanary,
      serviceKey,
      token,
      adminIssued,
      admin: fleet.env['BOOTSTRAP_ADMIN_KEY']!,
      master: fleet.env['MASTER_KEYS']!.slice(3),
    };

    // A provider that repeats the secret in its error, inside a 200 and in a 500.
    const modes = [{ errors_in_200: { code: 1, message: `no ${secretCanary} ${keyCanary}` } }, { outage: 500 }];
    for (const [i, mode] of modes.entries()) {
      await fleet.control('PUT', `/clients/${keyCanary}/modes`, mode);
      see(await fleet.admin('POST', '/v1/clients', { name: 'fails', provider: 'capillary', inputs }));
      const name = `fails-${i}`;
      await fleet.admin('POST', '/v1/clients?verify=false', { name, provider: 'capillary', inputs });
      await fleet.admin('POST', '/v1/grants', { service: 'reader', client: name });
      see(
        await until(
          () => fleet.admin('GET', `/v1/clients/${name}`),
          ({ body }) => body.condition === 'failing',
        ),
      );
      expect(see(await fleet.token(name, serviceKey)).status).toBe(503);
      see(await fleet.admin('POST', `/v1/clients/${name}/renewals`));
      expect(see(await fleet.admin('GET', `/v1/clients/${name}/renewals`)).body.items).not.toEqual([]);
    }
    see(await fleet.admin('PATCH', '/v1/clients/eu', { inputs: { secret: `${secretCanary}\n` } }, { 'if-match': '*' }));
    see(await fleet.admin('POST', '/v1/clients', `{"name":"x","inputs":{"secret":"${secretCanary}"`));
    see(
      await fleet
        .admin('POST', '/v1/clients', { name: 'y', provider: 'capillary', inputs, [secretCanary]: 1 })
        .then(({ status }) => ({ body: status })),
    );
    see(await ask(`${fleet.brokers[0]!.url}/v1/summary`, 'GET', undefined, { authorization: `Bearer ${serviceKey}` }));
    see(await fleet.admin('POST', '/v1/connection-tests', { provider: 'capillary', inputs }));
    for (const path of [
      '/v1/providers',
      '/v1/providers/capillary',
      '/v1/clients',
      '/v1/clients/eu',
      '/v1/audit',
      '/v1/services',
      '/v1/services/reader/keys',
      '/v1/admin-keys',
      '/v1/grants',
      '/v1/summary',
      '/v1/renewals',
      '/v1/clients/eu/renewals',
      '/v1/events?order=desc&limit=200',
      '/metrics',
      '/health/ready',
      '/openapi.json',
    ]) {
      see(await fleet.admin('GET', path, undefined, { accept: 'application/json' }));
    }
    const authorization = `Bearer ${canaries['admin']}`;
    const listener = await listen(`${fleet.brokers[0]!.url}/v1/events`, { authorization, 'last-event-id': '0' });
    await listener.hears((heard) => heard.length >= modes.length);
    answers += listener.text();
    listener.leave();
    // Somebody who takes the path for the place.
    for (const secret of [serviceKey, token, adminIssued, encodeURIComponent(secretCanary)]) {
      for (const path of [`v1/clients/${secret}/token`, `v1/clients/${secret}`, `oauth/token/${secret}`, secret]) {
        for (const method of ['GET', 'POST'])
          await ask(`${fleet.brokers[0]!.url}/${path}`, method, undefined, { authorization: `Bearer ${serviceKey}` });
      }
      const proxied = await ask(`${fleet.brokers[0]!.url}/proxy/nobody/x/${secret}`, 'PUT', undefined, {
        authorization,
      });
      expect(proxied.status).toBeGreaterThanOrEqual(400);
    }
    await fleet.brokers[0]!.kill('SIGTERM'); // which writes the sums of the hour
  }, 60_000);
  afterAll(() => fleet.stop());

  it('in a dump of PostgreSQL', async () => {
    const dump = await dumpPostgres(fleet.database.url);
    expect(dump).toContain('client.created');
    expect(dump).toContain('eyJ'); // the sealed inputs are in it
    expect(dump).toContain('client.condition_changed');
    expect(dump).toContain('provider_unavailable'); // in an hour
    expect(findIn(dump, canaries)).toEqual([]);
  });

  it('in a dump of Redis', async () => {
    const dump = await dumpRedis(fleet.redis.url);
    expect(dump).toMatch(/tb1:\{\d+\}:c:/);
    expect(dump).toContain('(HTTP 500)'); // in an attempt
    expect(findIn(dump, canaries)).toEqual([]);
  });

  it('in the log at its chattiest', async () => {
    const log = fleet.brokers[0]!.output();
    expect(log).toContain('renewal failed');
    expect(findIn(log, canaries)).toEqual([]);
  });

  it('in any answer, metric or audit row', () => {
    expect(answers).toContain('client.created');
    expect(findIn(answers, canaries)).toEqual([]);
  });

  it('by accident: the search finds each where it does stand', () => {
    for (const [name, text] of Object.entries(canaries)) expect(findIn(`x${text}x`, canaries)).toContain(name);
    expect(findIn(Buffer.from(secretCanary).toString('hex'), canaries)).toEqual(['secretCanary']);
  });
});
