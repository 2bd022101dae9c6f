import type { LastFailure } from './token-store';

/** There is no token that may be served right now. */
export class TokenUnavailable extends Error {
  readonly code = 'token_unavailable';

  /**
   * @param reason `renewing`, `store_unavailable`, or the code of the last failure
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
