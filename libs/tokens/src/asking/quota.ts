import { type ProviderDefinition, Throttled } from '#providers';
import type { Random } from '../renewal-policy';
import type { TokenStore } from '../store/token-store';

/**
 * A request arrives some time after its permit was taken, and not all take equally long: by so much the window is wider
 * than the provider's. A connection may take 2 s; what follows a first step is sent within 8 s, or not at all.
 */
const arrivalMs = { oneStep: 2_000, moreSteps: 8_000 };
const maxWaitMs = 300_000;

/**
 * Takes what one token costs of the provider's quota, which is counted for each definition and set of hosts; nothing where the
 * definition has none, or the token is made without asking anyone.
 * @param hosts as `tokenHosts` has it
 * @returns 0 when it may be asked for; else ms after which there can be a permit
 */
export async function takePermit(
  store: TokenStore,
  { id, renew, steps = [] }: ProviderDefinition,
  hosts: string,
): Promise<number> {
  const quota = renew?.quota;
  if (!quota || steps.length === 0) return 0;
  const perMs = quota.per_s * 1_000 + (steps.length > 1 ? arrivalMs.moreSteps : arrivalMs.oneStep);
  const { requests } = quota;
  return store.takePermits(`${id}@${originOf(hosts)}`, Math.min(steps.length, requests), { requests, perMs });
}

/**
 * Asks for a token on behalf of nobody yet, under the provider's quota all the same.
 * @throws Throttled when the quota is used up, or cannot be counted now
 */
export async function withinQuota<T>(
  store: TokenStore,
  definition: ProviderDefinition,
  hosts: string,
  ask: () => Promise<T>,
): Promise<T> {
  const waitMs = await takePermit(store, definition, hosts).catch((cause: unknown) => {
    const message = "the provider's quota cannot be counted while the token store does not answer";
    throw new Throttled({ message, reached: false, retryAfterSeconds: 1 }, { cause });
  });
  if (waitMs === 0) return ask();
  const message = `the provider's quota of token requests is used up for ${Math.ceil(waitMs / 1_000)} s`;
  const hint = 'Repeat it then. The quota is shared by all clients of the provider, and stands in its definition.';
  throw new Throttled({ message, hint, reached: false, retryAfterSeconds: Math.ceil(waitMs / 1_000) });
}

/** The hosts alone: authorities that a client trusts, and its API, say nothing of who is asked for tokens. */
export function originOf(hosts: string): string {
  return hosts
    .split(',')
    .filter((host) => !/^(ca|api):/.test(host))
    .join(',');
}

/**
 * How long a client leaves the quota to others. Spread over its window, so that those that wait do not all come at once
 * when there is one permit; somebody who is waited for comes sooner.
 */
export function quotaDelayMs(waitMs: number, { per_s }: { per_s: number }, onDemand: boolean, random: Random): number {
  const spreadMs = Math.min(Math.max(per_s * 1_000, 1_000), 60_000) * (onDemand ? 0.1 : 1);
  return Math.min(waitMs + spreadMs * random(), maxWaitMs);
}
