import type { BreakerState } from './asking/breaker';
import type { Condition } from './condition';
import type { LastFailure } from './store/token-store';

export interface RenewalEvent {
  clientId: string;
  provider: string;
  durationMs: number;
  /** How late the renewal was claimed, ms; absent for one on demand. */
  latenessMs?: number;
  providerRequestId?: string;
}

/** What comes of somebody's saying that the provider refuses a token. */
export const rejectionResults = ['started', 'under_way', 'already_replaced', 'rate_limited'] as const;
export type RejectionResult = (typeof rejectionResults)[number];

/** What an observer may hear. Metrics, logs and history are subscribers; the token logic knows none of them. */
export interface TokenEvents {
  /** Every answer that a provider gave or failed to give; `status` is an HTTP status or `none`. */
  providerCalled?(event: { clientId: string; provider: string; status: string }): void;
  renewed?(event: RenewalEvent & { generation: string; runwayMs: number }): void;
  renewalFailed?(event: RenewalEvent & { failure: LastFailure; nextAttemptInMs: number }): void;
  /** A token was thrown away: its claim was lost, its secret replaced, or it ends no later than the one in store. */
  tokenDiscarded?(event: RenewalEvent & { why: 'fenced' | 'outdated' | 'sticky' }): void;
  /** The provider was not asked: it fails too often, or its quota is used up. */
  heldBack?(event: {
    clientId: string;
    provider: string;
    why: 'breaker_open' | 'retry_budget' | 'quota';
    nextAttemptInMs: number;
  }): void;
  /** `origin`: the hosts that are asked, where clients name them; a provider can have several. */
  breakerChanged?(event: { provider: string; origin: string; state: BreakerState }): void;
  conditionChanged?(event: { clientId: string; condition: Condition; reason?: string }): void;
  /** Somebody said that the provider refuses the token of that generation. */
  tokenRejected?(event: { clientId: string; generation: string; by: string; renewal: RejectionResult }): void;
  /** Something that no caller waits for went wrong. */
  fault?(event: { what: string; error: unknown; clientId?: string }): void;
}

/** What an observer hears with the event of that name. */
export type TokenEvent<K extends keyof TokenEvents> = Parameters<NonNullable<TokenEvents[K]>>[0];

/** One observer that tells many; one of them failing neither hinders the others nor the renewal. */
export function tellAll(observers: TokenEvents[]): Required<TokenEvents> {
  const each =
    <K extends keyof TokenEvents>(kind: K) =>
    (event: TokenEvent<K>): void => {
      for (const observer of observers) {
        try {
          (observer[kind] as ((event: unknown) => void) | undefined)?.call(observer, event);
        } catch (error) {
          if (kind !== 'fault') observer.fault?.({ what: `observer of ${kind}`, error });
        }
      }
    };
  return {
    providerCalled: each('providerCalled'),
    renewed: each('renewed'),
    renewalFailed: each('renewalFailed'),
    tokenDiscarded: each('tokenDiscarded'),
    heldBack: each('heldBack'),
    breakerChanged: each('breakerChanged'),
    conditionChanged: each('conditionChanged'),
    tokenRejected: each('tokenRejected'),
    fault: each('fault'),
  };
}
