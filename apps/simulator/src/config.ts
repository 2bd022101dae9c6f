import type { BulkOptions } from './bulk-issuer';
import type { SimulatorOptions } from './simulator';

/**
 * Reads PORT (9000), HOST (127.0.0.1), CHEAP_TOKENS (1 for benchmarks), BULK_TTL_SECONDS and BULK_TOKEN_BYTES; throws in
 * plain words on a bad value.
 */
export function readConfig(env: NodeJS.ProcessEnv = process.env): SimulatorOptions {
  const port = Number(env['PORT'] ?? 9000);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new Error(`PORT must be a whole number from 0 to 65535, not "${env['PORT']}"`);
  }
  const bulk = readBulk(env);
  return { port, host: env['HOST'] ?? '127.0.0.1', cheapTokens: env['CHEAP_TOKENS'] === '1', ...(bulk && { bulk }) };
}

function readBulk(env: NodeJS.ProcessEnv): BulkOptions | undefined {
  const life = env['BULK_TTL_SECONDS'];
  if (life === undefined) return undefined;
  const [ttlSeconds, tokenBytes] = [Number(life), Number(env['BULK_TOKEN_BYTES'] ?? 900)];
  if (!(ttlSeconds > 0)) throw new Error(`BULK_TTL_SECONDS must be a number above 0, not "${life}"`);
  if (!Number.isInteger(tokenBytes) || tokenBytes < 200 || tokenBytes > 60_000) {
    throw new Error(`BULK_TOKEN_BYTES must be a whole number from 200 to 60000, not "${env['BULK_TOKEN_BYTES']}"`);
  }
  return { ttlSeconds, tokenBytes };
}
