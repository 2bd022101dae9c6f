import { execSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidKeyRing, KeyRing } from '#vault';

/** Where the embedded mode keeps the master key that it made for itself. */
export const masterKeysFile = (dataDir: string): string => join(dataDir, 'master.keys');
export const embeddedDatabase = (dataDir: string): string => join(dataDir, 'postgres');

const commandTimeoutMs = 10_000;
const newMasterKeyHint = `make one with: echo "k1:$(openssl rand -base64 32)"`;

interface Given {
  MASTER_KEYS: string | undefined;
  MASTER_KEYS_COMMAND: string | undefined;
  DATABASE_URL: string | undefined;
  DATA_DIR: string;
}

/** Absent without a fault: the embedded mode has still to make its first key. */
export function readKeyRing(env: Given, faults: string[]): KeyRing | undefined {
  if (env.MASTER_KEYS && env.MASTER_KEYS_COMMAND) {
    faults.push('MASTER_KEYS and MASTER_KEYS_COMMAND are both set: keep one');
    return undefined;
  }
  let [text, origin] = [env.MASTER_KEYS, 'MASTER_KEYS'];
  if (env.MASTER_KEYS_COMMAND) {
    origin = 'MASTER_KEYS_COMMAND';
    try {
      text = execSync(env.MASTER_KEYS_COMMAND, {
        encoding: 'utf8',
        timeout: commandTimeoutMs,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
    } catch (error) {
      faults.push(`MASTER_KEYS_COMMAND failed (${(error as { status?: number }).status ?? 'timed out'})`);
      return undefined;
    }
  }
  if (!text && !env.DATABASE_URL) {
    const file = masterKeysFile(env.DATA_DIR);
    if (existsSync(file)) [text, origin] = [readFileSync(file, 'utf8'), file];
    else if (!existsSync(embeddedDatabase(env.DATA_DIR))) return undefined;
    else
      faults.push(
        `${file} is gone, and without it what is stored in ${env.DATA_DIR} cannot be opened: put it back, or set MASTER_KEYS`,
      );
  } else if (!text) {
    faults.push(`MASTER_KEYS is missing: kid:base64(32 bytes); ${newMasterKeyHint}`);
  }
  if (!text) return undefined;
  try {
    return KeyRing.parse(text);
  } catch (error) {
    if (!(error instanceof InvalidKeyRing)) throw error;
    faults.push(...error.faults.map((fault) => `${origin}: ${fault}; ${newMasterKeyHint}`));
    return undefined;
  }
}
