import { CannotOpen } from '#vault';

/** There is nothing of that name (or id). */
export class NotFound extends Error {
  readonly code = 'not_found';

  constructor(kind: 'client' | 'service' | 'key' | 'grant' | 'provider', identifier: string) {
    super(`there is no ${kind} "${identifier}"`);
    this.name = 'NotFound';
  }
}

/** The name is in use, or the grant exists. */
export class AlreadyExists extends Error {
  readonly code = 'already_exists';

  constructor(kind: 'client' | 'service' | 'grant' | 'provider', identifier: string) {
    super(`the ${kind} "${identifier}" exists already`);
    this.name = 'AlreadyExists';
  }
}

/** Somebody else changed it since it was read (If-Match). */
export class VersionMismatch extends Error {
  readonly code = 'version_mismatch';

  constructor(currentVersion: number) {
    super(`the present version is ${currentVersion}, with the ETag "v${currentVersion}", quotes included`);
    this.name = 'VersionMismatch';
  }
}

/** No provider definition of that id, or none of that version. */
export class UnknownProvider extends Error {
  readonly code = 'unknown_provider';

  constructor(
    provider: string,
    readonly known: string[],
    readonly version?: number,
  ) {
    super(version === undefined ? `there is no provider "${provider}"` : `"${provider}" has no version ${version}`);
    this.name = 'UnknownProvider';
  }
}

/** It came with the broker: its definition is nobody's to change. */
export class ProviderIsPreset extends Error {
  readonly code = 'provider_is_preset';

  constructor(provider: string) {
    super(`"${provider}" is a preset`);
    this.name = 'ProviderIsPreset';
  }
}

/** There are clients of it. */
export class ProviderInUse extends Error {
  readonly code = 'provider_in_use';

  constructor(provider: string, clients: number) {
    super(`"${provider}" has ${clients} client(s)`);
    this.name = 'ProviderInUse';
  }
}

/** A stored definition that must not be used: it is not the one that was stored, or this program cannot read it. */
export class DefinitionUnusable extends CannotOpen {
  override readonly hint = 'Move the client to another version: PATCH it with provider_version.';

  constructor(provider: string, version: number, why: string, options?: ErrorOptions) {
    super(`version ${version} of the provider "${provider}" ${why}`, options);
    this.name = 'DefinitionUnusable';
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
// PostgreSQL: 57P01 to 57P03 shutting down, crashed, starting up; 53300 too many connections.
const unavailableCodes =
  /^(P1001|P1002|P1008|P1017|P2024|P2028|ECONN(REFUSED|RESET)|ETIMEDOUT|EPIPE|E(HOST|NET)UNREACH|ENOTFOUND|EAI_AGAIN|57P0[1-3]|53300)$/;
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
