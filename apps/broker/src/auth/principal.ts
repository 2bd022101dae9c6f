import type { ClientAccess, Role } from '#registry';

/** Who is calling: a service, or an admin with a role. */
export type Principal =
  | {
      kind: 'service';
      /** Absent: it did not come with a key of ours. */
      keyId?: string;
      name: string;
    }
  | { kind: 'admin'; keyId: string; name: string; role: Role };

export interface Caller {
  principal: Principal;
  /** The client that was named, if this service was granted it. */
  client?: ClientAccess | undefined;
}

/** What a request showed was found good. */
export interface Proof {
  principal: Principal;
  /** Whether it still is. */
  holds(): boolean;
}

/** Why a request is nobody's. */
export const refusalReasons = [
  ...(['missing', 'malformed', 'unknown_key', 'wrong_key', 'revoked', 'expired'] as const),
  ...(['jwt_issuer', 'jwt_form', 'jwt_claims', 'jwt_service', 'unknown_service', 'certificate', 'throttled'] as const),
] as const;

export type RefusalReason = (typeof refusalReasons)[number];

/** What a request showed is no proof of anything. */
export class Refusal {
  constructor(
    readonly reason: RefusalReason,
    /** Of a key that there is. */
    readonly prefix?: string,
  ) {}
}
