import type { ClientState, LastFailure } from './store/token-store';

/** There is no token that may be served right now. */
export class TokenUnavailable extends Error {
  readonly code = 'token_unavailable';

  /**
   * @param reason `renewing`, `not_yet`, `store_unavailable`, or the code of the last failure
   * @param retryAfterSeconds when asking again may help; at least 1
   */
  constructor(
    readonly reason: string,
    message: string,
    readonly retryAfterSeconds: number,
    readonly lastFailure?: LastFailure,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TokenUnavailable';
  }
}

/** What Redis says to whoever writes when its memory is full; in older versions amid the message of a script that failed. */
export function isFull(error: unknown): boolean {
  return error instanceof Error && /\bOOM\b/.test(error.message);
}

/** The store was asked, and this is what became of it. */
export function storeUnavailable(error: unknown): TokenUnavailable {
  if (error instanceof TokenUnavailable) return error;
  const what = isFull(error) ? 'is out of memory, and nothing can be renewed' : 'does not answer';
  return new TokenUnavailable('store_unavailable', `the token store ${what}`, 1, undefined, { cause: error });
}

/** Why there is none, as the store has it. */
export function unavailable({ lastFailure, dueInMs = 0, restMs = 0 }: ClientState): TokenUnavailable {
  const seconds = (ms: number): number => Math.max(1, Math.ceil(ms / 1_000));
  if (lastFailure) {
    const retryAfterSeconds = Math.max(seconds(restMs), seconds(Math.min(dueInMs, 300_000)));
    return new TokenUnavailable(lastFailure.code, lastFailure.message, retryAfterSeconds, lastFailure);
  }
  if (restMs === 0) return new TokenUnavailable('renewing', 'the first token is being fetched', 1);
  return new TokenUnavailable('not_yet', 'the provider may not be asked for a token yet', seconds(restMs));
}

/** The same where this process renews nothing itself. */
export function leftToOthers(state: ClientState): TokenUnavailable {
  if (state.lastFailure || state.restMs) return unavailable(state);
  const message = 'this replica does not renew, and none that does has fetched the token yet';
  return new TokenUnavailable('renewing', message, 1);
}
