import { execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';

/** As `taskset --cpu-list` wants it; absent where nothing can be pinned. */
export interface Cores {
  server: string;
  everythingElse: string;
}

/**
 * What is measured has one core to itself; load, databases and provider share the others. This process goes there at
 * once, and all that it starts later inherits the place.
 */
export function takeCores(): Cores | undefined {
  const count = availableParallelism();
  if (count < 2) return undefined;
  const cores = { server: '0', everythingElse: `1-${count - 1}` };
  try {
    execFileSync('taskset', ['--all-tasks', '--pid', '--cpu-list', cores.everythingElse, String(process.pid)], {
      stdio: 'ignore',
    });
    return cores;
  } catch {
    return undefined; // not Linux, or no util-linux
  }
}
