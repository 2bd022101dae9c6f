import type { Failure } from '#providers';

/** The right to renew one client, until its lease runs out or somebody claims the client after it. */
export interface Claim {
  clientId: string;
  /** Fences the claim: only the latest claim of a client may commit. Also the generation of the token it stores. */
  generation: string;
  /** How long the renewal had been due when it was claimed, ms; absent when it was claimed on demand. */
  latenessMs?: number;
  /** The client's last attempt failed, or would have: its provider fails too often to be asked. */
  retry?: true;
  /** As `Overview.leastRunway` has it; said of those that were claimed because they were due. */
  inTrouble?: true;
}

export interface DueClaims {
  claims: Claim[];
  /** Some part of the queue gave as many as it was asked for: there may be more. */
  more: boolean;
  /** A part of the queue is gone, or nobody has said yet that it is whole: reconcile now, then `markWhole`. */
  lost: boolean;
}

export type ClaimAnswer =
  | { outcome: 'claimed'; claim: Claim }
  /** A later token than the caller's is stored already, and may be served. */
  | { outcome: 'newer' }
  /** Somebody else is at it, for at most so long. */
  | { outcome: 'held'; waitMs: number }
  /** The last attempt brought nothing and the next is not due yet. */
  | { outcome: 'resting'; waitMs: number };

/** What becomes of the token that a provider no longer takes. */
export type RejectionAnswer =
  | ClaimAnswer
  /** It was only looked at: it can be claimed. */
  | { outcome: 'free' };

export interface NewToken {
  secretVersion: number;
  sealed: Buffer;
  /** ms from now up to which it may be served. */
  runwayMs: number;
  /** The same as a point in time: wall clock, ms. */
  serveUntil: number;
  /** ms that it may be served in all. */
  servableLifeMs: number;
  /** ms from now until its renewal is due. Where that is after its end, nobody asks sooner on demand either. */
  renewInMs: number;
  /**
   * In place of `renewInMs` where no token of the client was alive, or its last attempts failed: many clients may be in
   * that together, and this spreads what they do next. Never for a token that came again.
   */
  unplannedRenewInMs?: number;
  /** ms that it took to get it. */
  durationMs?: number;
  providerRequestId?: string;
  /** From the end of serving to the end of its life as the provider told it, ms. */
  marginMs: number;
  /** Of its text, by each master key: so that the same token is known when it comes again. Without any it is new. */
  fingerprints: readonly string[];
  /** How long before the end of a token's life another one can be had, ms; below 0 after it; absent when not known. */
  nextBeforeEndMs?: number;
  /** It has ended the one before, which it replaces, were it to end sooner. */
  endsOthers?: boolean;
  /** ms from now during which the provider is not asked again, whoever wants it. */
  minIntervalMs?: number;
}

/** At most so many token requests in any such time. */
export interface Quota {
  requests: number;
  perMs: number;
}

export interface Commit {
  /**
   * `fenced`: the claim holds no more; `outdated`: got with a secret replaced since, the client is due again at once;
   * `sticky`: the provider gave the token that is stored already, or one that ends no later; the stored one is kept.
   */
  outcome: 'stored' | 'fenced' | 'outdated' | 'sticky';
  /** It is the client's first token, or ends a series of failures: the client is fresh, and was not before. */
  freshAgain: boolean;
}

export interface StoredToken {
  generation: string;
  secretVersion: number;
  sealed: Buffer;
  /** ms that it may still be served: the least that the store's clock and ours allow; <= 0 when it is dead. */
  runwayMs: number;
  servableLifeMs: number;
}

/** The last attempt that failed. */
export interface LastFailure extends Failure {
  code: string;
  /** Wall clock, ms. */
  at: number;
  durationMs?: number;
}

export interface Attempts {
  failures: number;
  refusals: number;
  lastFailure?: LastFailure;
  /** The provider was not asked: it is noted as the client's state, and no attempt enters the history. */
  unasked?: true;
}

/** One request for a token, as the history has it. */
export interface Attempt {
  /** Wall clock, ms; of one that went well, whole seconds. */
  at: number;
  /** `kept`: the provider gave the token that is stored already, or one that ends no later. */
  outcome: 'renewed' | 'kept' | 'failed';
  /** To about 3 % where it went well. */
  durationMs: number;
  /** Code of the failure. */
  reason?: string;
  message?: string;
  providerStatus?: number;
  /** Of every failure, and of the last attempt that went well. */
  providerRequestId?: string;
}

export interface ClientState extends Omit<Attempts, 'unasked'> {
  token?: StoredToken;
  /** ms until the next renewal, negative when it is late; absent when the client is not in the queue. */
  dueInMs?: number;
  /** ms during which the provider is not asked again; absent when it may be asked now. */
  restMs?: number;
}

export interface QueueEntry {
  clientId: string;
  secretVersion: number;
  dueInMs: number;
}

export interface Overview {
  /** Clients in the queue. */
  depth: number;
  /** Those whose renewal is due now. */
  due: number;
  next: { clientId: string; dueInMs: number }[];
  /**
   * When services will begin to fail: clients in trouble (the last attempt failed, or was held back), those first whose
   * token ends first; 0 when it has ended or there is none. Clients that are well are not among them.
   */
  leastRunway: { clientId: string; runwayMs: number }[];
}

export interface News {
  kind: 'renewed' | 'changed' | 'removed';
  clientId: string;
  generation?: string;
}

/** What is wrong with a store, in a few words. */
export type Health = 'ok' | 'out of memory' | 'does not answer';

/**
 * Tokens and the renewal queue in one: a commit has to move both at once. Two of them pass one contract test: Redis,
 * shared by a fleet, and memory, for a single process.
 */
export interface TokenStore {
  /** Claims up to `limit` clients that are due. */
  claimDue(limit: number): Promise<DueClaims>;
  /** Every client is in the queue: from now on `lost` means that some are gone. */
  markWhole(): Promise<void>;
  /**
   * @param seenGeneration of the token that the caller has and cannot use, if any
   * @param restMs how long after a token was stored the next is not asked for; 0 for who has it already, or insists: then
   *   the rest after an attempt that brought nothing is not kept to either, nor the minimum interval, which `asking` keeps
   */
  claimOne(clientId: string, seenGeneration?: string, restMs?: number): Promise<ClaimAnswer>;
  /**
   * Claims a client whose provider no longer takes the token of that generation. `newer`: that token is not stored (any
   * more). What comes next replaces it, were it to end sooner.
   * @param limitMs no two renewals are forced so within this time
   * @param take false: only looks, and says `free` where it could be claimed
   */
  claimRejected(clientId: string, generation: string, limitMs: number, take: boolean): Promise<RejectionAnswer>;
  /**
   * Notes that the provider is about to be asked, for a client whose requests must be so far apart: before, since the
   * worker may die with its request sent. `early`: not yet; the claim was given back.
   */
  asking(claim: Claim, minIntervalMs: number): Promise<'go' | 'early' | 'fenced'>;
  commit(claim: Claim, token: NewToken): Promise<Commit>;
  /**
   * Gives a claim back, after a failure or, without `attempts`, unused: then failures stay as they are.
   * @param tried.secretVersion a failure with one that was replaced since is `outdated` and not counted
   * @param tried.minIntervalMs from now, after which the provider may be asked again; 0 when it cannot have heard of the
   *   request; absent where that was not noted with `asking`
   */
  postpone(
    claim: Claim,
    delayMs: number,
    attempts?: Attempts,
    tried?: { secretVersion?: number; minIntervalMs?: number },
  ): Promise<'postponed' | 'fenced' | 'outdated'>;
  /**
   * Takes permits for token requests out of a bucket that all replicas share.
   * @returns 0 when they were taken; else ms after which they can be there
   */
  takePermits(bucket: string, permits: number, quota: Quota): Promise<number>;
  read(clientId: string): Promise<ClientState>;
  /** Of the token that was stored last. */
  generation(clientId: string): Promise<string | undefined>;
  readMany(clientIds: string[]): Promise<ClientState[]>;
  /** The last 50, newest first. They outlive a change, not a removal. */
  attempts(clientId: string): Promise<Attempt[]>;
  /** Puts those that are missing into the queue. Returns how many were. */
  enqueue(entries: QueueEntry[]): Promise<number>;
  /**
   * Fences what is in flight, forgets failures, makes the client due, at once unless said otherwise. The minimum interval
   * between two requests goes on, unless the secret is another one.
   */
  change(clientId: string, secretVersion: number, dueInMs?: number): Promise<void>;
  /** @param claim only if it still holds */
  remove(clientId: string, claim?: Claim): Promise<void>;
  overview(next: number): Promise<Overview>;
  onNews(listener: (news: News) => void): void;
  /** Whether news arrives at once. While it does not, what is cached must be checked more often. */
  newsArrives(): boolean;
  /** Whether the store answers, and takes what is written to it. */
  ping(): Promise<Health>;
  close(): Promise<void>;
}

/** After a token was stored the next is not asked for sooner, however short its life and whoever wants a longer one. */
export const minRestMs = 500;

/** A worker that dies delays its renewals by no more than this. Longer than any token request may take (8 s). */
export const leaseMs = 15_000;
