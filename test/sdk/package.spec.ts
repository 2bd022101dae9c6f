import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { provisioned } from '../harness/provisioned';
import { root } from '../harness/root';

const run = promisify(execFile);

/** A program that uses both entries. Over HTTP too where the runtime has a server of node:http. */
const body = `
const fake = new FakeBroker();
fake.client('eu');
const broker = fake.connect();
const api = broker.fetchFor('eu', { origins: ['https://api.example.com'], fetch: fake.api('eu') });
const { status } = await api('/orders');
const server = createServer(fake.listener).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const url = 'http://127.0.0.1:' + server.address().port;
const environment = { TOKEN_BROKER_URL: url, TOKEN_BROKER_KEY: fake.key };
const overHttp = TokenBroker.fromEnv({ environment });
const token = await overHttp.getToken('eu');
const refused = await overHttp.getToken('us').catch((error) => error);
console.log(status, token.accessToken, refused instanceof NotFound, String(JSON.stringify(token)).includes('token-1'));
server.close();
server.closeAllConnections?.();
`;
/** The same without a server: a page has none. */
const page = `<pre id="out"></pre><script type="module">
import { TokenBroker } from '/esm/index.js';
import { FakeBroker } from '/esm/testing.js';
const fake = new FakeBroker();
fake.client('eu');
const origins = ['https://api.example.com'];
const { status } = await fake.connect().fetchFor('eu', { origins, fetch: fake.api('eu') })('/orders');
const broker = new TokenBroker({ url: location.origin, key: 'tbk_x' });
const token = await broker.getToken('eu');
const elsewhere = broker.fetchFor('eu', { origins: [location.origin] });
const moved = await elsewhere('/moved').catch((error) => error);
document.title = [status, token.accessToken, moved.code].join(' ');
</script>`;
const modules = `
import { createServer } from 'node:http';
import { NotFound, TokenBroker } from '@token-broker/sdk';
import { FakeBroker } from '@token-broker/sdk/testing';
${body}`;
const common = `
const { createServer } = require('node:http');
const { NotFound, TokenBroker } = require('@token-broker/sdk');
const { FakeBroker } = require('@token-broker/sdk/testing');
(async () => {${body}})();`;

describe('@token-broker/sdk as it is published', () => {
  let folder: string;
  let built: string;

  beforeAll(async () => {
    await provisioned('build');
    // Fails where publint or "are the types wrong" find something.
    folder = mkdtempSync(join(tmpdir(), 'token-broker-sdk-use-'));
    built = join(folder, 'node_modules', '@token-broker', 'sdk');
    await run(process.execPath, [join(root, 'dist', 'tools', 'sdk.main.js'), built], { cwd: root });
    writeFileSync(join(folder, 'package.json'), '{}');
    writeFileSync(join(folder, 'modules.mjs'), modules);
    writeFileSync(join(folder, 'common.cjs'), common);
  }, 180_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const printed = async (program: string, ...words: string[]) => {
    const { stdout } = await run(program, words, { cwd: folder, env: { ...process.env, NO_COLOR: '1' } });
    return stdout.trim();
  };
  const expected = '200 token-1-of-eu true false';

  it('works as ES modules and as CommonJS', async () => {
    expect(await printed(process.execPath, 'modules.mjs')).toBe(expected);
    expect(await printed(process.execPath, 'common.cjs')).toBe(expected);
  });

  (has('deno') ? it : it.skip)('works in Deno', async () => {
    expect(await printed('deno', 'run', '--allow-all', '--node-modules-dir=manual', 'modules.mjs')).toBe(expected);
  });

  (has('bun') ? it : it.skip)('works in Bun', async () => {
    expect(await printed('bun', 'modules.mjs')).toBe(expected);
  });

  (has('chromium') ? it : it.skip)(
    'works in a browser, which does not tell where a redirect leads',
    async () => {
      const seen: string[] = [];
      const server = createServer(({ url = '' }, response) => {
        seen.push(url);
        if (url === '/moved') return response.writeHead(302, { location: '/elsewhere' }).end();
        if (url.startsWith('/v1/')) {
          const token = {
            client: 'eu',
            access_token: 't',
            token_type: 'Bearer',
            expires_in: 60,
            headers: { 'x-token': 't' },
          };
          return response.writeHead(200, { etag: '"1"' }).end(JSON.stringify(token));
        }
        if (url === '/favicon.ico') return response.writeHead(404).end();
        const file = url === '/' ? undefined : join(built, url);
        response.writeHead(200, { 'content-type': file ? 'text/javascript' : 'text/html' });
        return response.end(file ? readFileSync(file) : page);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'];
      const profile = `--user-data-dir=${join(folder, 'profile')}`;
      const more = ['--disable-background-networking', '--virtual-time-budget=10000', '--dump-dom'];
      const dom = await printed('chromium', ...flags, profile, ...more, `http://127.0.0.1:${port}/`);
      server.close().closeAllConnections();
      expect(/<title>(.*)<\/title>/.exec(dom)?.[1]).toBe('200 t origin_not_allowed');
      expect(seen).not.toContain('/elsewhere');
    },
    60_000,
  );

  it('leans on nothing: no dependency, no module of a runtime', () => {
    const { dependencies, peerDependencies } = JSON.parse(readFileSync(join(built, 'package.json'), 'utf8')) as Record<
      string,
      object
    >;
    expect([dependencies, peerDependencies]).toEqual([undefined, undefined]);
    const imported = ['esm', 'cjs'].flatMap((kind) =>
      readdirSync(join(built, kind), { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.js'))
        .flatMap((file) => [
          ...readFileSync(join(built, kind, file), 'utf8').matchAll(
            /(?:\bfrom |\bimport\(?|require\() ?(['"])([^'"]+)\1/g,
          ),
        ]),
    );
    expect(imported.length).toBeGreaterThan(50);
    expect(imported.map(([, , name]) => name).filter((name) => !name!.startsWith('.'))).toEqual([]);
  });

  it('is typed, for modules and for CommonJS, in the strictest of settings', async () => {
    const program = `
import { TokenBroker, type ErrorCode, TokenBrokerError } from '@token-broker/sdk';
import { FakeBroker } from '@token-broker/sdk/testing';
export async function use(broker: TokenBroker): Promise<string> {
  const { expiresIn, headers } = await broker.getToken('eu', { minTtl: 60 });
  const api = broker.fetchFor('eu', { origins: ['https://api.example.com'] });
  await api('/orders', { headers: { ...headers } });
  for await (const { condition } of broker.admin.clients.list()) if (condition === 'failing') break;
  return String(expiresIn);
}
export const codeOf = (error: unknown): ErrorCode | string => (error instanceof TokenBrokerError ? error.code : '');
export const fake: TokenBroker = new FakeBroker().connect();
// @ts-expect-error a key or a token is needed
export const wrong = new TokenBroker({ url: 'https://broker.example.com' });
`;
    writeFileSync(join(folder, 'use.mts'), program);
    writeFileSync(join(folder, 'use.cts'), program);
    const options = ['--module', 'nodenext', '--strict', '--exactOptionalPropertyTypes', '--noEmit'];
    const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const words = [...options, '--lib', 'es2022,dom,dom.iterable', '--target', 'es2022', 'use.mts', 'use.cts'];
    expect(await printed(process.execPath, tsc, ...words)).toBe('');
  }, 120_000);
});

function has(program: string): boolean {
  try {
    execFileSync(program, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
