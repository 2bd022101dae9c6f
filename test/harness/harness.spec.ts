import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { transformFileSync } from '@swc/core';
import { Redis } from 'ioredis';
import { startBroker } from './broker';
import { createDatabase, runSql } from './database';
import { sharedRedisUrl, startRedis } from './redis';

let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(join(tmpdir(), 'token-broker-harness-'))));
afterAll(() => rmSync(scratch, { recursive: true }));

function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await delay(20);
}

test('databases are fresh, migrated, apart from each other, and gone when dropped', async () => {
  const [one, other] = await Promise.all([createDatabase(), createDatabase()]);
  await runSql(one.url, 'CREATE TABLE mine (id int)');
  expect(await runSql(other.url, `SELECT to_regclass('mine') AS mine`)).toEqual([{ mine: null }]);
  await Promise.all([one.drop(), other.drop()]);
  await expect(runSql(one.url, 'SELECT 1')).rejects.toThrow('does not exist');
});

test('the shared Redis answers', async () => {
  const redis = new Redis(await sharedRedisUrl());
  expect(await redis.ping()).toBe('PONG');
  await redis.quit();
});

test('a private Redis can be killed, and another can take its port', async () => {
  const redis = await startRedis();
  await redis.kill('SIGKILL');
  const successor = await startRedis(redis.port);
  expect(successor.url).toBe(redis.url);
  await Promise.all([redis.stop(), successor.stop()]);
});

describe('a broker process', () => {
  const script = (source: string): string => {
    const path = join(scratch, `broker-${Math.random()}.js`);
    writeFileSync(path, source);
    return path;
  };
  const listening = `console.log(JSON.stringify({ msg: 'listening', url: 'http://127.0.0.1:1' }));`;

  test('is handed over once it listens, with the environment given and none of the shell', async () => {
    process.env.FROM_THE_SHELL = 'yes';
    const source = `console.log('{"level":'); console.log(Object.keys(process.env).join()); ${listening}; setInterval(() => {}, 1000);`;
    const broker = await startBroker({ env: { LOG_LEVEL: 'debug' }, script: script(source) });
    expect(broker.url).toBe('http://127.0.0.1:1');
    expect(broker.output()).toContain('LOG_LEVEL');
    expect(broker.output()).not.toContain('FROM_THE_SHELL');
    await broker.stop();
    expect(alive(broker.pid)).toBe(false);
  });

  test('that ends before it listens is reported with what it printed', async () => {
    const source = script(`console.error('MASTER_KEYS is missing'); process.exitCode = 78;`);
    await expect(startBroker({ env: {}, script: source })).rejects.toThrow(/ended \(78\)[^]*MASTER_KEYS is missing/);
  });

  test('that ignores SIGTERM is killed', async () => {
    const source = script(`process.on('SIGTERM', () => {}); setInterval(() => {}, 1000); ${listening}`);
    const broker = await startBroker({ env: {}, script: source });
    await broker.stop();
    expect(alive(broker.pid)).toBe(false);
  });
});

test.each(['SIGINT', 'SIGKILL'] as const)(
  '%s ends a test run together with its servers and folders',
  async (signal) => {
    for (const name of ['leash', 'provisioned']) {
      const { code } = transformFileSync(join(__dirname, `${name}.ts`), { swcrc: true });
      writeFileSync(join(scratch, `${name}.js`), code);
    }
    const folder = mkdtempSync(join(scratch, 'server-'));
    const source = `
    const server = require('node:child_process').spawn('sleep', ['1000'], { detached: true, stdio: 'ignore' });
    require('./leash').leashProcess(server.pid, 'QUIT', ${JSON.stringify(folder)});
    console.log(server.pid);
    setInterval(() => {}, 1000);`;
    writeFileSync(join(scratch, 'run.js'), source);
    const run = spawn(process.execPath, [join(scratch, 'run.js')], {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    const [line] = (await once(run.stdout, 'data')) as [Buffer];
    const server = Number(line.toString());
    process.kill(-(run.pid ?? 0), signal); // the whole group, as the terminal does
    await until(() => !alive(server) && !existsSync(folder));
  },
);
