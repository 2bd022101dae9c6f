import {
  type Clock,
  type IssuedToken,
  type ProviderDefinition,
  ProviderError,
  ProviderMisconfigured,
  type TokenRequester,
} from '#providers';
import { CannotOpen, type Vault } from '#vault';
import { conditionAfterFailure } from './condition';
import type { TokenEvents } from './events';
import { ClientNotLoaded, type RenewableClient, type RenewableClients } from './renewable-client';
import { quotaDelayMs, takePermit } from './quota';
import { answerWasLost, keepsItsEnd, type Random, retryDelayMs, scheduleOf } from './renewal-policy';
import { sealIssued } from './sealed-token';
import { type Claim, type LastFailure, minRestMs, type TokenStore } from './token-store';

export type RequestToken = TokenRequester['requestToken'];

/** Carries a claim through: ask the provider, store the token, or note the failure. The one way to get a token. */
export class Renewer {
  readonly #inFlight = new Map<string, Promise<void>>();

  constructor(
    private readonly parts: {
      store: TokenStore;
      clients: RenewableClients;
      vault: Vault;
      requestToken: RequestToken;
      events: Required<TokenEvents>;
      clock: Clock;
      random: Random;
    },
  ) {}

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** The renewal of this client that runs in this process, if any. Never rejects. */
  running(clientId: string): Promise<void> | undefined {
    return this.#inFlight.get(clientId);
  }

  /** Never rejects: what went wrong is noted in the store, or else told as a fault, and the lease runs out. */
  renew(claim: Claim): Promise<void> {
    const work = this.#renew(claim)
      .catch((error: unknown) => this.parts.events.fault({ what: 'renewal', error, clientId: claim.clientId }))
      .finally(() => {
        if (this.#inFlight.get(claim.clientId) === work) this.#inFlight.delete(claim.clientId);
      });
    this.#inFlight.set(claim.clientId, work);
    return work;
  }

  async drain(): Promise<void> {
    await Promise.all(this.#inFlight.values());
  }

  async #renew(claim: Claim): Promise<void> {
    const { clients, store, requestToken, clock } = this.parts;
    const started = clock.monotonic();
    let client: RenewableClient | undefined;
    let asked = false;
    try {
      client = await clients.load(claim.clientId);
      if (!client) return await store.remove(claim.clientId, claim);
      const inputs = await client.inputs();
      if (!(await this.#mayAsk(claim, client))) return;
      asked = true;
      const issued = await requestToken(client.definition, inputs);
      await this.store(claim, client, issued);
    } catch (error) {
      const failure = failureOf(error, clock.now());
      if (!failure) throw error;
      // Whether the provider was asked at all decides whether the call is counted.
      if (error instanceof ProviderError) this.#called(claim, client!.provider, failure.providerStatus ?? 'none');
      await this.#fail(claim, client, failure, { durationMs: clock.monotonic() - started, asked });
    }
  }

  /** Whether the provider's limits let it be asked now. If not, the claim is given back until they may: no failure. */
  async #mayAsk(claim: Claim, { definition, hosts = '' }: RenewableClient): Promise<boolean> {
    const { store, random } = this.parts;
    const minIntervalMs = minIntervalOf(definition);
    if (minIntervalMs > 0 && (await store.asking(claim, minIntervalMs)) !== 'go') return false;
    const waitMs = await takePermit(store, definition, hosts);
    if (waitMs === 0) return true;
    const delayMs = quotaDelayMs(waitMs, definition.renew!.quota!, claim.latenessMs === undefined, random);
    await store.postpone(claim, delayMs, undefined, minIntervalMs > 0 ? { minIntervalMs: 0 } : {});
    return false;
  }

  /** Commits a token that was issued for this claim. */
  async store(claim: Claim, client: RenewableClient, issued: IssuedToken): Promise<void> {
    const { store, vault, events, clock, random, clients } = this.parts;
    const elapsedMs = clock.monotonic() - issued.sentAtMonotonic;
    const toldSeconds = issued.lifeSeconds;
    const lifeSeconds = Math.min(toldSeconds, client.maxLifeSeconds ?? Infinity);
    const { renew = {} } = client.definition;
    const schedule = scheduleOf({ lifeSeconds, toldSeconds }, renew, random);
    const { servableLifeMs, renewAtMs, marginMs, nextBeforeEndMs } = schedule;
    const runwayMs = servableLifeMs - elapsedMs;
    if (runwayMs <= 0) throw deadOnArrival(lifeSeconds);
    const minIntervalMs = minIntervalOf(client.definition);
    const renewInMs = Math.max(renewAtMs - elapsedMs, minRestMs, minIntervalMs);
    // Sooner than planned one gets the same token, or ends the one that others hold.
    const planned = renew.single_live || nextBeforeEndMs !== undefined;
    const event = {
      clientId: claim.clientId,
      provider: client.provider,
      durationMs: elapsedMs,
      ...(claim.latenessMs !== undefined && { latenessMs: claim.latenessMs }),
      ...(issued.providerRequestId && { providerRequestId: issued.providerRequestId }),
    };
    this.#called(claim, client.provider, 200);
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
      renewInMs,
      marginMs,
      fingerprints: keepsItsEnd(client.definition) ? vault.fingerprints(issued.accessToken) : [],
      ...(nextBeforeEndMs !== undefined && { nextBeforeEndMs }),
      ...(renew.single_live && { endsOthers: true }),
      minIntervalMs,
      durationMs: elapsedMs,
      ...(issued.providerRequestId && { providerRequestId: issued.providerRequestId }),
    });
    if (outcome === 'outdated') clients.drop(claim.clientId);
    if (outcome === 'stored') events.renewed({ ...event, generation: claim.generation, runwayMs });
    else events.tokenDiscarded({ ...event, why: outcome });
    if (freshAgain) events.conditionChanged({ clientId: claim.clientId, condition: 'fresh' });
  }

  #called({ clientId }: Claim, provider: string, status: number | 'none'): void {
    this.parts.events.providerCalled({ clientId, provider, status: String(status) });
  }

  async #fail(
    claim: Claim,
    client: RenewableClient | undefined,
    failure: LastFailure,
    { durationMs, asked }: { durationMs: number; asked: boolean },
  ): Promise<void> {
    const { store, events, random, clients } = this.parts;
    const { clientId } = claim;
    const provider = client?.provider ?? 'unknown';
    const lastFailure = { ...failure, durationMs: Math.round(durationMs) };
    const before = await store.read(clientId);
    const attempts = {
      failures: before.failures + 1,
      refusals: lastFailure.code === 'credentials_refused' ? before.refusals + 1 : 0,
      lastFailure,
    };
    const servable = (before.token?.runwayMs ?? 0) > 0;
    // The token that is served may be dead since: the next one soon, though not again and again.
    const mayHaveEnded = client?.definition.renew?.single_live && answerWasLost(lastFailure);
    const failures = mayHaveEnded && !answerWasLost(before.lastFailure) ? 1 : attempts.failures;
    const retryInMs = retryDelayMs(lastFailure, { ...attempts, failures, servable }, random);
    const intervalMs = asked ? minIntervalOf(client!.definition) : 0;
    const minIntervalMs = lastFailure.reached === false ? 0 : intervalMs;
    const nextAttemptInMs = Math.max(retryInMs, minIntervalMs);
    const outcome = await store.postpone(claim, nextAttemptInMs, attempts, {
      ...(client && { secretVersion: client.secretVersion }),
      ...(intervalMs > 0 && { minIntervalMs }),
    });
    if (outcome === 'outdated') clients.drop(clientId);
    events.renewalFailed({
      clientId,
      provider,
      failure,
      nextAttemptInMs,
      durationMs,
      ...(claim.latenessMs !== undefined && { latenessMs: claim.latenessMs }),
      ...(lastFailure.providerRequestId && { providerRequestId: lastFailure.providerRequestId }),
    });
    if (outcome === 'postponed') {
      const condition = conditionAfterFailure(attempts);
      events.conditionChanged({ clientId, condition, reason: lastFailure.message });
    }
  }
}

function minIntervalOf({ renew }: ProviderDefinition): number {
  return (renew?.min_interval_s ?? 0) * 1_000;
}

function deadOnArrival(lifeSeconds: number): ProviderMisconfigured {
  return new ProviderMisconfigured({
    message: `the provider issued a token of ${lifeSeconds} s, which was over before it could be served`,
    providerStatus: 200,
    hint: 'Have the provider issue tokens that live longer than its answer takes, by a minute or more.',
  });
}

/** What is said of a failure that belongs to the client; undefined for any other. */
function failureOf(error: unknown, at: number): LastFailure | undefined {
  if (error instanceof ProviderError) return { code: error.code, ...error.failure, at };
  if (error instanceof CannotOpen) {
    return { code: error.code, message: error.message, hint: error.hint, reached: false, at };
  }
  if (error instanceof ClientNotLoaded) {
    return { code: error.code, message: 'the client could not be read from the database', reached: false, at };
  }
  return undefined;
}
