import { type IssuedToken, ProviderMisconfigured } from '#providers';
import type { RenewableClient } from './renewable-client';
import type { RenewalParts } from './renewal-parts';
import { keepsItsEnd, minIntervalOf, scheduleOf } from './renewal-policy';
import { sealIssued } from './sealed-token';
import { type Claim, type Commit, minRestMs } from './store/token-store';

/** Later than this, a renewal was not made when it was planned: as many others may have waited with it. */
const lateMs = 1_000;

/**
 * Plans the next renewal of a token that was issued for this claim, seals it and commits it.
 * @param underWay how many renewals run in this process at this moment
 * @returns what the commit came to
 * @throws ProviderMisconfigured when it was over before it could be served
 */
export async function storeIssued(
  { store, vault, events, clock, random, clients, crowd }: RenewalParts,
  claim: Claim,
  client: RenewableClient,
  issued: IssuedToken,
  underWay: number,
): Promise<Commit['outcome']> {
  const { clientId, latenessMs } = claim;
  const elapsedMs = clock.monotonic() - issued.sentAtMonotonic;
  const toldSeconds = issued.lifeSeconds;
  const lifeSeconds = Math.min(toldSeconds, client.maxLifeSeconds ?? Infinity);
  const { renew = {} } = client.definition;
  const schedule = scheduleOf({ lifeSeconds, toldSeconds }, renew, random);
  const { servableLifeMs, renewAtMs, marginMs, nextBeforeEndMs } = schedule;
  const runwayMs = servableLifeMs - elapsedMs;
  if (runwayMs <= 0) throw deadOnArrival(lifeSeconds);
  const minIntervalMs = minIntervalOf(client.definition);
  const atLeastMs = Math.max(minRestMs, minIntervalMs);
  const renewInMs = Math.max(renewAtMs - elapsedMs, atLeastMs);
  // Sooner than planned one gets the same token, or ends the one that others hold.
  const planned = renew.single_live || nextBeforeEndMs !== undefined;
  const spread =
    !planned && crowd.isHere(underWay) ? Math.max(crowd.spread(renewAtMs - elapsedMs), atLeastMs) : undefined;
  const isLate = (latenessMs ?? 0) > lateMs;
  const { providerRequestId } = issued;
  const event = {
    clientId,
    provider: client.provider,
    durationMs: elapsedMs,
    ...(latenessMs !== undefined && { latenessMs }),
    ...(providerRequestId && { providerRequestId }),
  };
  events.providerCalled({ clientId, provider: client.provider, status: '200' });
  const { outcome, freshAgain } = await store.commit(claim, {
    secretVersion: client.secretVersion,
    sealed: sealIssued(vault, claim, issued, {
      ...(planned && { plannedEarlyMs: runwayMs - renewInMs }),
      ...(renew.single_live && { singleLive: true }),
    }),
    runwayMs,
    serveUntil: issued.sentAt + servableLifeMs,
    // What was left when it arrived is the most that anybody can ask for.
    servableLifeMs: runwayMs,
    renewInMs: isLate && spread !== undefined && crowd.isNew(renewInMs) ? spread : renewInMs,
    ...(spread !== undefined && { unplannedRenewInMs: spread }),
    marginMs,
    fingerprints: keepsItsEnd(client.definition) ? vault.fingerprints(issued.accessToken) : [],
    ...(nextBeforeEndMs !== undefined && { nextBeforeEndMs }),
    ...(renew.single_live && { endsOthers: true }),
    minIntervalMs,
    durationMs: Math.round(elapsedMs),
    ...(providerRequestId && { providerRequestId }),
  });
  if (freshAgain || isLate) crowd.note();
  if (outcome === 'stored') events.renewed({ ...event, generation: claim.generation, runwayMs });
  else events.tokenDiscarded({ ...event, why: outcome });
  if (freshAgain) events.conditionChanged({ clientId, condition: 'fresh' });
  if (outcome === 'outdated') clients.drop(clientId);
  return outcome;
}

/** A token that was over before it could be served. */
export function deadOnArrival(lifeSeconds: number): ProviderMisconfigured {
  return new ProviderMisconfigured({
    message: `the provider issued a token of ${lifeSeconds} s, which was over before it could be served`,
    providerStatus: 200,
    hint: 'Have the provider issue tokens that live longer than its answer takes, by a minute or more.',
  });
}
