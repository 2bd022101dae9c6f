import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buildIfStale } from './build';
import { dropDatabases, makeTemplate } from './database';
import { startPostgres } from './postgres';
import type { Server } from './postgres';
import type { Provisions } from './provisioned';
import { provisionRedis } from './redis';
import { redisProgram } from './redis-programs';

export interface Provisioner {
  address: string;
  stop(): Promise<void>;
}

/**
 * Lives in Jest's own process and makes each thing once, when a suite first asks for it.
 * @param options.built `dist/` is as it should be: who runs from there must not have it built anew
 */
export async function startProvisioner({ built = false } = {}): Promise<Provisioner> {
  const run = randomBytes(4).toString('hex');
  const servers: Server[] = [];
  const made = new Map<string, Promise<unknown>>();

  const make: { [Name in keyof Provisions]: () => Promise<Provisions[Name]> } = {
    postgres: async () => {
      const server = await startPostgres();
      servers.push(server);
      return { url: server.url, run };
    },
    template: async () => ({ name: await makeTemplate((await onceMade('postgres')).url, run) }),
    redis: async () => {
      const server = await provisionRedis();
      servers.push(server);
      return { url: server.url };
    },
    build: async () => {
      if (!built) await buildIfStale();
      return {};
    },
  };

  const onceMade = <Name extends keyof Provisions>(name: Name): Promise<Provisions[Name]> => {
    if (!made.has(name)) made.set(name, make[name]());
    return made.get(name) as Promise<Provisions[Name]>;
  };

  // Other users of this machine may reach the port, and the answers hold a password.
  const secret = randomBytes(12).toString('hex');
  const http = createServer((request, response) => {
    const [, presented, name = ''] = (request.url ?? '').split('/');
    if (presented !== secret || !Object.hasOwn(make, name)) return void response.writeHead(404).end('{}');
    onceMade(name as keyof Provisions).then(
      (thing) => response.end(JSON.stringify(thing)),
      (error: Error) => response.writeHead(500).end(JSON.stringify({ error: error.message })),
    );
  });
  // Workers hold a silent connection for as long as they live: see leash.ts.
  http.headersTimeout = http.requestTimeout = 0;
  http.listen(0, '127.0.0.1').unref();
  await once(http, 'listening');
  const { port } = http.address() as AddressInfo;

  // Installing Redis, or pulling its image, may take longer than the suite that asks for it may.
  if (!process.env.REDIS_URL && !redisProgram()) await onceMade('redis').catch(() => undefined);

  return {
    address: `http://127.0.0.1:${port}/${secret}`,
    stop: async () => {
      http.close();
      await Promise.allSettled(made.values());
      const postgres = servers.find(({ url }) => url.startsWith('postgres'));
      if (postgres?.origin === 'DATABASE_URL') await dropDatabases(postgres.url, run);
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
