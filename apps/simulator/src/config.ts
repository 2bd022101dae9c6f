import type { SimulatorOptions } from './simulator';

/** Reads PORT (9000), HOST (127.0.0.1) and CHEAP_TOKENS (1 for benchmarks); throws in plain words on a bad value. */
export function readConfig(env: NodeJS.ProcessEnv = process.env): SimulatorOptions {
  const port = Number(env['PORT'] ?? 9000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`PORT must be a whole number from 0 to 65535, not "${env['PORT']}"`);
  }
  return { port, host: env['HOST'] ?? '127.0.0.1', cheapTokens: env['CHEAP_TOKENS'] === '1' };
}
