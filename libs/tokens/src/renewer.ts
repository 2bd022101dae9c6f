import { type IssuedToken, ProviderError } from '#providers';
import { CannotOpen } from '#vault';
import { conditionAfterFailure } from './condition';
import { HeldBack } from './asking/held-back';
import { ClientNotLoaded, type RenewableClient } from './renewable-client';
import type { RenewalParts } from './renewal-parts';
import { answerWasLost, minIntervalOf, retryDelayMs } from './renewal-policy';
import { storeIssued } from './store-issued';
import { turns } from './turns';
import type { Attempts, Claim, LastFailure } from './store/token-store';

/** As when the client cannot be read from the database. */
const secretLost: ClientNotLoaded['code'] = 'client_not_loaded';
/** A request whose connection was cut is repeated at once, if it was cut early enough for the lease to hold. */
const repeatWithinMs = 4_000;
/** What is cut off at a shutdown comes back to another replica after this; whether it was answered, nobody knows. */
const cutOffRestMs = 500;

/**
 * What a renewal came to. `kept`: the provider gave the token that is in store already; `not_yet`: it may not be asked now;
 * `left`: to whoever renews the client next, in another replica or since it was changed meanwhile.
 */
export type RenewalOutcome = 'renewed' | 'kept' | 'failed' | 'not_yet' | 'left';

/** Carries a claim through: ask the provider, store the token, or note the failure. The one way to get a token. */
export class Renewer {
  readonly #inFlight = new Map<string, Promise<RenewalOutcome>>();
  /** Of the requests under way. Not one for all: two hundred that listen to one signal Node takes for a leak. */
  readonly #requests = new Set<AbortController>();
  /** Renewals that have not begun to ask; each is told when the process stops. */
  readonly #waiting = new Set<() => void>();
  #stopped = false;
  #cutOff = false;

  constructor(private readonly parts: RenewalParts) {}

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** The renewal of this client that runs in this process, if any. Never rejects. */
  running(clientId: string): Promise<RenewalOutcome> | undefined {
    return this.#inFlight.get(clientId);
  }

  /** Never rejects: what went wrong is noted in the store, or else told as a fault, and the lease runs out. */
  renew(claim: Claim): Promise<RenewalOutcome> {
    const work = this.#renew(claim)
      .catch((error: unknown) => {
        this.parts.events.fault({ what: 'renewal', error, clientId: claim.clientId });
        return 'failed' as const;
      })
      .finally(() => {
        if (this.#inFlight.get(claim.clientId) === work) this.#inFlight.delete(claim.clientId);
      });
    this.#inFlight.set(claim.clientId, work);
    return work;
  }

  /** From now on claims whose provider was not asked yet are given back. */
  stop(): void {
    this.#stopped = true;
    for (const giveUp of this.#waiting) giveUp();
  }

  /** Waits for what is under way; after so long it is cut off, and its claims given back. */
  async drain(withinMs: number): Promise<void> {
    const late = setTimeout(() => {
      this.#cutOff = true;
      for (const request of this.#requests) request.abort();
    }, withinMs);
    await Promise.all(this.#inFlight.values());
    clearTimeout(late);
  }

  /** Commits a token that was issued for this claim. */
  async store(claim: Claim, client: RenewableClient, issued: IssuedToken): Promise<RenewalOutcome> {
    const outcome = await storeIssued(this.parts, claim, client, issued, this.inFlight);
    if (outcome === 'outdated') return this.#checkSecret(claim, client);
    return ({ stored: 'renewed', sticky: 'kept', fenced: 'left' } as const)[outcome];
  }

  async #renew(claim: Claim): Promise<RenewalOutcome> {
    const { clients, store, clock } = this.parts;
    const started = clock.monotonic();
    let client: RenewableClient | undefined;
    try {
      await this.#unlessStopped(clients.load(claim.clientId).then((loaded) => (client = loaded)));
      if (this.#stopped) return await this.#giveBack(claim, 0);
      if (!client) {
        await store.remove(claim.clientId, claim);
        return 'failed';
      }
      const inputs = await client.inputs();
      const issued = await this.#ask(claim, client, inputs);
      if (!issued) return 'not_yet';
      // On demand, somebody waits.
      if (claim.latenessMs !== undefined) await turns.next();
      return await this.store(claim, client, issued);
    } catch (error) {
      if (this.#cutOff) return this.#giveBack(claim, cutOffRestMs);
      if (error instanceof HeldBack) return this.#holdBack(claim, client!, error);
      if (error instanceof CannotOpen && (await this.#isForOthers(claim))) return this.#giveBack(claim, 0);
      const lastFailure = failureOf(error, clock.now());
      if (!lastFailure) throw error;
      const durationMs = Math.round(clock.monotonic() - started);
      // Whether the provider was asked at all decides whether the call is counted.
      const asked = error instanceof ProviderError;
      if (asked) this.#called(claim, client!, lastFailure);
      return this.#fail(claim, client, { ...lastFailure, durationMs }, asked);
    }
  }

  async #giveBack(claim: Claim, delayMs: number): Promise<'left'> {
    await this.parts.store.postpone(claim, delayMs);
    return 'left';
  }

  /** Settles with the work, or when the process stops: a database that hangs must not keep a claim from others. */
  #unlessStopped(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(resolve);
      work.then(() => resolve(), reject).finally(() => this.#waiting.delete(resolve));
    });
  }

  /** One request, and a second one at once where the connection of the first was cut. */
  async #ask(
    claim: Claim,
    client: RenewableClient,
    inputs: Awaited<ReturnType<RenewableClient['inputs']>>,
  ): Promise<IssuedToken | undefined> {
    const { gate, requestToken, clock } = this.parts;
    const started = clock.monotonic();
    const request = async (): Promise<IssuedToken> => {
      const controller = new AbortController();
      this.#requests.add(controller);
      return requestToken(client.definition, inputs, controller.signal).finally(() =>
        this.#requests.delete(controller),
      );
    };
    try {
      return await gate.send(claim, client, request);
    } catch (error) {
      const again = error instanceof ProviderError && error.failure.cut && !claim.retry && !this.#stopped;
      if (!again || minIntervalOf(client.definition) > 0 || clock.monotonic() - started > repeatWithinMs) throw error;
      this.#called(claim, client, error.failure);
      // Where it may not be repeated, it failed as it did the first time.
      return gate.send({ ...claim, retry: true }, client, request).catch((second: unknown) => {
        throw second instanceof HeldBack ? error : second;
      });
    }
  }

  #called({ clientId }: Claim, { provider }: RenewableClient, { providerStatus }: ProviderError['failure']): void {
    this.parts.events.providerCalled({ clientId, provider, status: String(providerStatus ?? 'none') });
  }

  async #fail(
    claim: Claim,
    client: RenewableClient | undefined,
    lastFailure: LastFailure,
    asked: boolean,
  ): Promise<'failed' | 'left'> {
    const { store, events, random, clients } = this.parts;
    const { clientId } = claim;
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
    let came: 'failed' | 'left' = outcome === 'postponed' ? 'failed' : 'left';
    if (outcome === 'outdated') {
      clients.drop(clientId);
      came = await this.#checkSecret(claim, client!);
    }
    events.renewalFailed({
      clientId,
      provider: client?.provider ?? 'unknown',
      failure: lastFailure,
      nextAttemptInMs,
      durationMs: lastFailure.durationMs ?? 0,
      ...(claim.latenessMs !== undefined && { latenessMs: claim.latenessMs }),
      ...(lastFailure.providerRequestId && { providerRequestId: lastFailure.providerRequestId }),
    });
    if (outcome === 'postponed') this.#tellCondition(clientId, attempts);
    return came;
  }

  /**
   * The client is due again at once, for the secret that replaced this one. Where the database has no such secret, as when
   * it lost a change that the token store heard of, asking the provider with the old one again and again brings nothing.
   */
  async #checkSecret(claim: Claim, { secretVersion }: RenewableClient): Promise<'failed' | 'left'> {
    const { clients, clock } = this.parts;
    const present = await clients.load(claim.clientId).catch(() => undefined);
    if (!present || present.secretVersion > secretVersion) return 'left';
    const message = 'the token store knows of a later secret than the database has';
    const hint = 'The database may have lost a change. Set the secret again, or disable the client and enable it.';
    return this.#fail(claim, undefined, { code: secretLost, message, hint, reached: false, at: clock.now() }, false);
  }

  /** As long as if it had failed once more: while a provider is down, its clients do not come back every few seconds. */
  async #holdBack(
    claim: Claim,
    { provider }: RenewableClient,
    { code, message, hint, why, waitMs }: HeldBack,
  ): Promise<'not_yet'> {
    const { store, events, random, clock } = this.parts;
    const { clientId } = claim;
    const { failures, refusals, lastFailure: known, token } = await store.read(clientId);
    const servable = (token?.runwayMs ?? 0) > 0;
    const lastFailure = known ?? { code, message, hint, reached: false, at: clock.now() };
    const attempts: Attempts = { failures: failures + 1, refusals, lastFailure, unasked: true };
    const nextAttemptInMs = waitMs + retryDelayMs(lastFailure, { ...attempts, servable }, random);
    const outcome = await store.postpone(claim, nextAttemptInMs, attempts);
    events.heldBack({ clientId, provider, why, nextAttemptInMs });
    if (outcome === 'postponed') this.#tellCondition(clientId, attempts);
    return 'not_yet';
  }

  /**
   * Whether it is given back at once, and the next to look is another replica. Not where there is no token to serve, since the key may have
   * left all of them, and somebody has to tell.
   */
  async #isForOthers({ clientId }: Claim): Promise<boolean> {
    const { store, lacksKeys } = this.parts;
    if (!lacksKeys()) return false;
    const { token } = await store.read(clientId);
    return (token?.runwayMs ?? 0) > 0;
  }

  #tellCondition(clientId: string, attempts: Attempts): void {
    const { message: reason = '' } = attempts.lastFailure ?? {};
    this.parts.events.conditionChanged({ clientId, condition: conditionAfterFailure(attempts), reason });
  }
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
