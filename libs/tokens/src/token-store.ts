import type { Failure } from '#providers';

/** The right to renew one client, until its lease runs out or somebody claims the client after it. */
export interface Claim {
  clientId: string;
  /** Fences the claim: only the latest claim of a client may commit. Also the generation of the token it stores. */
  generation: string;
  /** How long the renewal had been due when it was claimed, ms; absent when it was claimed on demand. */
  latenessMs?: number;
}

export type ClaimAnswer =
  | { outcome: 'claimed'; claim: Claim }
  /** A later token than the caller's is stored already, and may be served. */
  | { outcome: 'newer' }
  /** Somebody else is at it, for at most so long. */
  | { outcome: 'held'; waitMs: number }
  /** The last attempt brought nothing and the next is not due yet. */
  | { outcome: 'resting'; waitMs: number };

export interface NewToken {
  secretVersion: number;
  sealed: Buffer;
  /** ms from now up to which it may be served. */
  runwayMs: number;
  /** The same as a point in time: wall clock, ms. */
  serveUntil: number;
  /** ms that it may be served in all. */
  servableLifeMs: number;
  /** ms from now until its renewal is due. */
  renewInMs: number;
}

export interface Commit {
  /**
   * `fenced`: the claim holds no more; `outdated`: got with a secret replaced since, the client is due again at once;
   * `sticky`: the provider gave a token that ends no later than the one stored, which is kept.
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
}

export interface Attempts {
  failures: number;
  refusals: number;
  lastFailure?: LastFailure;
}

export interface ClientState extends Attempts {
  token?: StoredToken;
  /** ms until the next renewal, negative when it is late; absent when the client is not in the queue. */
  dueInMs?: number;
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
  /** The clients whose tokens end soonest; negative when one has ended. */
  leastRunway: { clientId: string; runwayMs: number }[];
}

export interface News {
  kind: 'renewed' | 'changed' | 'removed';
  clientId: string;
  generation?: string;
}

/**
 * Tokens and the renewal queue in one: a commit has to move both at once. Two of them pass one contract test: Redis,
 * shared by a fleet, and memory, for a single process.
 */
export interface TokenStore {
  /** Claims up to `limit` clients that are due. */
  claimDue(limit: number): Promise<Claim[]>;
  /**
   * @param seenGeneration of the token that the caller has and cannot use, if any
   * @param restMs how long after a token was stored the next is not asked for; 0 for who has it already
   */
  claimOne(clientId: string, seenGeneration?: string, restMs?: number): Promise<ClaimAnswer>;
  commit(claim: Claim, token: NewToken): Promise<Commit>;
  /**
   * Gives a claim back after a failure.
   * @param secretVersion that was tried; a failure of one that was replaced since is `outdated` and not counted
   */
  postpone(
    claim: Claim,
    delayMs: number,
    attempts: Attempts,
    secretVersion?: number,
  ): Promise<'postponed' | 'fenced' | 'outdated'>;
  read(clientId: string): Promise<ClientState>;
  readMany(clientIds: string[]): Promise<ClientState[]>;
  /** Puts those that are missing into the queue. Returns how many were. */
  enqueue(entries: QueueEntry[]): Promise<number>;
  /** Fences what is in flight, forgets failures, makes the client due, at once unless said otherwise. */
  change(clientId: string, secretVersion: number, dueInMs?: number): Promise<void>;
  /** @param claim only if it still holds */
  remove(clientId: string, claim?: Claim): Promise<void>;
  overview(next: number): Promise<Overview>;
  onNews(listener: (news: News) => void): void;
  /** Whether news arrives at once. While it does not, what is cached must be checked more often. */
  newsArrives(): boolean;
  /** Whether the store answers. */
  ping(): Promise<boolean>;
  close(): Promise<void>;
}

/** After a token was stored the next is not asked for sooner, however short its life and whoever wants a longer one. */
export const minRestMs = 500;

/** A worker that dies delays its renewals by no more than this. Longer than any token request may take (8 s). */
export const leaseMs = 15_000;
