import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/harness/free-port';
import { type Program, startCommand } from '../program';
import { installed } from './installed';

/** HTTP to Redis, in C: `GET /GET/{key}.txt` answers with the value. Body and length are ours, the other headers its own. */
export async function startWebdis(redisUrl: string, core: string | undefined): Promise<Program> {
  const program = installed('webdis', 'webdis');
  const folder = mkdtempSync(join(tmpdir(), 'token-broker-webdis-'));
  const port = await freePort();
  const { hostname, port: redisPort } = new URL(redisUrl);
  const config = {
    ...{ redis_host: hostname, redis_port: Number(redisPort), redis_auth: null, database: 0, pool_size: 32 },
    // One thread: it has one core.
    ...{ http_host: '127.0.0.1', http_port: port, threads: 1, daemonize: false, websockets: false },
    ...{ acl: [{ disabled: [] }], verbosity: 0, logfile: '/dev/null' },
  };
  const file = join(folder, 'webdis.json');
  writeFileSync(file, JSON.stringify(config));
  return startCommand([program, file], { port, folder, core });
}
