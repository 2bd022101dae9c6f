import { once } from 'node:events';
import { get } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** Where the run's provisioner listens; workers inherit it. */
export const provisionerVariable = 'TOKEN_BROKER_TEST_PROVISIONER';

export const runPidVariable = 'TOKEN_BROKER_TEST_RUN_PID';

export interface Provisions {
  postgres: { url: string; run: string };
  template: { name: string };
  redis: { url: string };
  build: object;
}

/**
 * Asks the test run for something that it makes once for all suites, on first demand: a suite that needs no server
 * starts none, so that running one unit spec takes a second.
 */
export async function provisioned<Name extends keyof Provisions>(name: Name): Promise<Provisions[Name]> {
  const address = process.env[provisionerVariable];
  if (!address)
    throw new Error(`Only Jest's globalSetup, and what does likewise, provides ${name}: run this through Jest`);
  // Not `fetch`, whose kept-alive connections would keep Jest from ending.
  const [response] = (await once(get(`${address}/${name}`, { agent: false }), 'response')) as [IncomingMessage];
  const body = JSON.parse(await text(response)) as Provisions[Name] & { error?: string };
  if (response.statusCode !== 200) throw new Error(body.error);
  return body;
}
