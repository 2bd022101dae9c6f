/** There is nothing of that name (or id). */
export class NotFound extends Error {
  readonly code = 'not_found';

  constructor(
    readonly kind: 'client' | 'service' | 'key' | 'grant',
    readonly identifier: string,
  ) {
    super(`there is no ${kind} "${identifier}"`);
    this.name = 'NotFound';
  }
}

/** The name is in use, or the grant exists. */
export class AlreadyExists extends Error {
  readonly code = 'already_exists';

  constructor(
    readonly kind: 'client' | 'service' | 'grant',
    readonly identifier: string,
  ) {
    super(`the ${kind} "${identifier}" exists already`);
    this.name = 'AlreadyExists';
  }
}

/** Somebody else changed it since it was read (If-Match). */
export class VersionMismatch extends Error {
  readonly code = 'version_mismatch';

  constructor(readonly currentVersion: number) {
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

/** PostgreSQL's unique_violation as Prisma reports it. */
export function isUniqueViolation(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'P2002';
}
