import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockFolder } from './folder-lock';

describe('the lock of a data folder', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'token-broker-lock-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('keeps out a second process, lets in its heir, and leaves nothing behind', async () => {
    const other = spawn('sleep', ['60']);
    writeFileSync(join(folder, 'broker.pid'), String(other.pid));
    expect(() => lockFolder(folder)).toThrow(`process ${other.pid} is using it`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    const unlock = lockFolder(folder);
    expect(existsSync(join(folder, 'broker.pid'))).toBe(true);
    unlock();
    expect(existsSync(join(folder, 'broker.pid'))).toBe(false);
  });
});
