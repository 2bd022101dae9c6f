import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFileSync } from '@swc/core';
import { readConfig } from './config';
import { startRig } from '../test/rig';

describe('configuration', () => {
  it('defaults to 127.0.0.1:9000 and refuses a port that is none', () => {
    expect(readConfig({})).toEqual({ port: 9000, host: '127.0.0.1', cheapTokens: false });
    expect(readConfig({ PORT: '0', HOST: '::1', CHEAP_TOKENS: '1' })).toEqual({
      port: 0,
      host: '::1',
      cheapTokens: true,
    });
    expect(() => readConfig({ PORT: 'http' })).toThrow('PORT must be a whole number');
  });

  it('issues in bulk only where a life is named, and refuses a life or a length that is none', () => {
    expect(readConfig({ BULK_TTL_SECONDS: '300' }).bulk).toEqual({ ttlSeconds: 300, tokenBytes: 900 });
    expect(readConfig({ BULK_TOKEN_BYTES: '700' }).bulk).toBeUndefined();
    expect(() => readConfig({ BULK_TTL_SECONDS: '0' })).toThrow('BULK_TTL_SECONDS must be a number above 0');
    expect(() => readConfig({ BULK_TTL_SECONDS: '9', BULK_TOKEN_BYTES: '9' })).toThrow('BULK_TOKEN_BYTES');
  });

  it('cheapTokens: no client has to ask for cheap tokens', async () => {
    const rig = await startRig({ cheapTokens: true });
    expect((await rig.control('GET', '/modes')).body).toEqual({ cheap_tokens: {} });
    await rig.close();
  });
});

describe('the process', () => {
  // Compiled here as the build would, so that the test runs what a shell runs and needs no build before it.
  const root = join(__dirname, '../../..');
  const compiled = mkdtempSync(join(tmpdir(), 'simulator-'));
  beforeAll(() => {
    for (const file of readdirSync(__dirname).filter((name) => !name.endsWith('.spec.ts'))) {
      const { code } = transformFileSync(join(__dirname, file), { configFile: join(root, '.swcrc') });
      writeFileSync(join(compiled, file.replace(/ts$/, 'js')), code);
    }
  });
  afterAll(() => rmSync(compiled, { recursive: true }));

  it.each(['SIGTERM', 'SIGINT'] as const)('says where it listens and leaves promptly on %s', async (signal) => {
    const child = spawn(process.execPath, [join(compiled, 'main.js')], {
      env: { PORT: '0', NODE_PATH: join(root, 'node_modules') },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(child.stdout), 'line');
    expect(line).toMatch(/^simulator listening on http:\/\/127\.0\.0\.1:\d+$/);
    const sent = performance.now();
    child.kill(signal);
    expect(await once(child, 'exit')).toEqual([0, null]);
    expect(performance.now() - sent).toBeLessThan(2000);
  });
});
