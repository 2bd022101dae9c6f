import { cpus } from 'node:os';
import type { Cores } from './cores';

export function describeMachine(cores: Cores | undefined): string {
  const all = cpus();
  const pinning = cores
    ? `the server on core ${cores.server}; load, PostgreSQL, Redis and provider on core ${cores.everythingElse.replace(/^(\d+)-\1$/, '$1')}`
    : 'nothing pinned (no `taskset`, or one core)';
  return `${all.length} cores of ${all[0]?.model.trim() ?? 'an unknown CPU'}, Node ${process.version}, ${process.platform}; ${pinning}`;
}
