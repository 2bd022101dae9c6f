import type { ErrorCode, FieldFault } from './wire';

/** Codes of what did not come from the broker. */
export type SdkCode = 'misconfigured' | 'origin_not_allowed' | 'unreachable';

/** Whatever this package throws, but for the reason of an aborted signal. Decide by `code`, or by class. */
export abstract class TokenBrokerError extends Error {
  abstract readonly code: ErrorCode | SdkCode;
  /** Whether the same call may go well later without anybody doing something. */
  abstract readonly retryable: boolean;

  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** A setting is missing or wrong. */
export class Misconfigured extends TokenBrokerError {
  readonly code = 'misconfigured';
  readonly retryable = false;
}

/** The token was about to leave for an origin that it is not for. Nothing was sent there. */
export class OriginNotAllowed extends TokenBrokerError {
  readonly code = 'origin_not_allowed';
  readonly retryable = false;
}

/** No answer of the broker: none at all, none in time, or one that something in between made. */
export class BrokerUnreachable extends TokenBrokerError {
  readonly code = 'unreachable';

  constructor(
    message: string,
    /** HTTP status of what did answer. */
    readonly status?: number,
    readonly retryable = true,
  ) {
    super(message);
  }
}

/** The broker's problem+json, in the words of this package. */
export interface BrokerProblem {
  code: ErrorCode;
  status: number;
  detail: string;
  hint?: string;
  requestId?: string;
  /** Of `token_unavailable`: why there is none. */
  reason?: string;
  retryAfterSeconds?: number;
  faults?: FieldFault[];
}

/** The broker answered, and said no. */
export abstract class BrokerError extends TokenBrokerError implements BrokerProblem {
  readonly code: ErrorCode;
  readonly status: number;
  readonly detail: string;
  readonly hint?: string;
  /** Stands in the broker's log. */
  readonly requestId?: string;
  readonly reason?: string;
  readonly retryAfterSeconds?: number;
  readonly faults?: FieldFault[];

  constructor(problem: BrokerProblem) {
    super([problem.detail, problem.hint].filter(Boolean).join(' '));
    const { code, status, detail } = problem;
    [this.code, this.status, this.detail] = [code, status, detail];
    if (problem.hint !== undefined) this.hint = problem.hint;
    if (problem.requestId !== undefined) this.requestId = problem.requestId;
    if (problem.reason !== undefined) this.reason = problem.reason;
    if (problem.retryAfterSeconds !== undefined) this.retryAfterSeconds = problem.retryAfterSeconds;
    if (problem.faults !== undefined) this.faults = problem.faults;
  }
}

/** It will be so again until somebody changes something: the request, a key, a grant, a client. */
export class RequestRefused extends BrokerError {
  readonly retryable = false;
}

/** The key is missing, mistyped, unknown, expired or revoked. */
export class Unauthenticated extends RequestRefused {}

/** The key is valid and may not do that. */
export class Forbidden extends RequestRefused {}

/** There is nothing of that name, or it is not granted: the broker does not tell which. */
export class NotFound extends RequestRefused {}

export class ClientDisabled extends RequestRefused {}

/** Somebody else changed it since it was read: read it again. */
export class VersionMismatch extends RequestRefused {}

/** It passes: `retryAfterSeconds` says when asking again may help, where that is known. */
export class TryAgainLater extends BrokerError {
  readonly retryable = true;
}

/** There is no token that may be served now; `reason` says why. */
export class TokenUnavailable extends TryAgainLater {}

const classes: Partial<Record<ErrorCode, new (problem: BrokerProblem) => BrokerError>> = {
  unauthenticated: Unauthenticated,
  forbidden: Forbidden,
  not_found: NotFound,
  client_disabled: ClientDisabled,
  version_mismatch: VersionMismatch,
  token_unavailable: TokenUnavailable,
};

export function brokerError(problem: BrokerProblem): BrokerError {
  const later = problem.status === 429 || problem.status >= 500;
  const Class = classes[problem.code] ?? (later ? TryAgainLater : RequestRefused);
  return new Class(problem);
}

/** The broker lets this caller have no token of that client: the one that it gave before is not to be used any more. */
export function takesAway(error: unknown): boolean {
  return [Unauthenticated, Forbidden, NotFound, ClientDisabled].some((Class) => error instanceof Class);
}
