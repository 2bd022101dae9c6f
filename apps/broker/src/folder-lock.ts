import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Keeps a second process out of a data folder: the embedded database is no server and would be torn apart by two.
 * @returns gives the folder free again
 * @throws Error naming the process that has it
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'broker.pid');
  const claim = (): void => createFile(file, String(process.pid));
  try {
    claim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const holder = Number(readFileSync(file, 'utf8'));
    if (holder !== process.pid && isRunning(holder)) throw new Error(`process ${holder} is using it`, { cause: error });
    rmSync(file); // left behind by a process that was killed
    claim();
  }
  return () => rmSync(file, { force: true });
}

/**
 * Writes a file that only its owner can read: whole or not at all, and never over one that is there.
 * @throws an error with code EEXIST
 */
export function createFile(file: string, text: string): void {
  const whole = `${file}.${process.pid}`;
  writeFileSync(whole, text, { mode: 0o600 });
  try {
    linkSync(whole, file);
  } finally {
    rmSync(whole);
  }
}

function isRunning(pid: number): boolean {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
