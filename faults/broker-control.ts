import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from '../test/harness/root';
import type { Control } from './preload';

const answerMs = 10_000;

/** The other end of `preload.ts`: what a broker is started with, and how it is told. */
export class BrokerControl {
  readonly #folder = mkdtempSync(join(tmpdir(), 'token-broker-faults-'));
  readonly #file = join(this.#folder, 'control.json');
  readonly env = {
    FAULTS_CONTROL: this.#file,
    NODE_OPTIONS: `--require ${join(root, 'dist', 'faults', 'preload.js')}`,
  };

  /** Resolves when the process has heard it. */
  async tell(pid: number, control: Control): Promise<void> {
    rmSync(`${this.#file}.done`, { force: true });
    writeFileSync(this.#file, JSON.stringify(control));
    process.kill(pid, 'SIGUSR2');
    for (const until = Date.now() + answerMs; !existsSync(`${this.#file}.done`); await delay(5)) {
      if (Date.now() > until) throw new Error(`process ${pid} did not hear ${JSON.stringify(control)}`);
    }
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
