import { join } from 'node:path';
import { transformFileSync } from '@swc/core';

export const root = join(__dirname, '..', '..');

/**
 * The test harness knows how to get a real PostgreSQL and Redis anywhere, and how to end them with this process however
 * it ends. It is no part of what is built and shipped, so it is compiled on its way in.
 */
require.extensions['.ts'] = (module, path) => {
  (module as NodeModule & { _compile(code: string, path: string): void })._compile(
    transformFileSync(path, { swcrc: true, sourceMaps: false }).code,
    path,
  );
};

const harness = join(root, 'test', 'harness');

export const { startPostgres } = require(join(harness, 'postgres')) as typeof import('../test/harness/postgres');
export const { startRedis } = require(join(harness, 'redis')) as typeof import('../test/harness/redis');
export const { leashProcess } = require(join(harness, 'leash')) as typeof import('../test/harness/leash');
export const { redisProgram, installRedis } = require(
  join(harness, 'redis-programs'),
) as typeof import('../test/harness/redis-programs');
