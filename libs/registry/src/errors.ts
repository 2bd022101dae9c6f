/** There is nothing of that name (or id). */
export class NotFound extends Error {
  readonly code = 'not_found';

  constructor(kind: 'client' | 'service' | 'key' | 'grant', identifier: string) {
    super(`there is no ${kind} "${identifier}"`);
    this.name = 'NotFound';
  }
}

/** The name is in use, or the grant exists. */
export class AlreadyExists extends Error {
  readonly code = 'already_exists';

  constructor(kind: 'client' | 'service' | 'grant', identifier: string) {
    super(`the ${kind} "${identifier}" exists already`);
    this.name = 'AlreadyExists';
  }
}

/** Somebody else changed it since it was read (If-Match). */
export class VersionMismatch extends Error {
  readonly code = 'version_mismatch';

  constructor(currentVersion: number) {
    super(`the present version is ${currentVersion}`);
    this.name = 'VersionMismatch';
  }
}

/** No provider definition of that id. */
export class UnknownProvider extends Error {
  readonly code = 'unknown_provider';

  constructor(
    readonly provider: string,
    readonly known: string[],
  ) {
    super(`there is no provider "${provider}"`);
    this.name = 'UnknownProvider';
  }
}

/** Revoking it would lock everybody out. */
export class LastAdminKey extends Error {
  readonly code = 'last_admin_key';

  constructor() {
    super('this is the last usable key of role admin');
    this.name = 'LastAdminKey';
  }
}

// Prisma: P1001 cannot reach, P1002 and P1008 timed out, P1017 closed, P2024 no free connection, P2028 no transaction.
const unavailableCodes = /^(P1001|P1002|P1008|P1017|P2024|P2028|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|57P0[1-3])$/;
const unavailableKinds = ['DatabaseNotReachable', 'ConnectionClosed', 'SocketTimeout', 'TooManyConnections'];
const unavailableWords = /Connection terminated|timeout exceeded when trying to connect|read timeout|connection error/i;

/** Whether the database, and not the query, is to blame. Prisma and its driver have many ways to say so. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, kind, message, cause, meta } = error as {
    [name in 'code' | 'kind' | 'message' | 'cause']?: unknown;
  } & { meta?: { driverAdapterError?: unknown } };
  return (
    (typeof code === 'string' && unavailableCodes.test(code)) ||
    unavailableKinds.includes(String(kind)) ||
    (typeof message === 'string' && unavailableWords.test(message)) ||
    isDatabaseUnavailable(cause) ||
    isDatabaseUnavailable(meta?.driverAdapterError)
  );
}

/** What the database said, in one line: Prisma wraps it in its own words and a piece of our source. */
export function databaseFault(error: unknown): string {
  if (isDatabaseUnavailable(error)) return 'it cannot be reached (refused, no such host, or no answer in time)';
  for (let inner: unknown = error; typeof inner === 'object' && inner !== null;) {
    const { originalMessage, cause, meta } = inner as {
      originalMessage?: string;
      cause?: unknown;
      meta?: { driverAdapterError?: unknown };
    };
    if (originalMessage) return originalMessage;
    inner = meta?.driverAdapterError ?? cause;
  }
  return String((error as Error).message ?? error)
    .trim()
    .split('\n')
    .at(-1)!;
}

/** PostgreSQL's unique_violation as Prisma reports it. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'P2002';
}
