import { createHmac, timingSafeEqual } from 'node:crypto';
import type { KeyRing, RingKey } from './key-ring';

/** How a row of the database is known to be ours. */
export interface Attestation {
  mac: Uint8Array<ArrayBuffer>;
  macKid: string;
}

/** What is attested: told apart by position, so that no two statements read alike. */
type Statement = readonly (string | number | boolean)[];

/** Attests rows that are no secrets, and that nobody who can write to the database may make up or change. */
export class Attestations {
  constructor(private readonly ring: KeyRing) {}

  /** The id of the key that attests now. */
  get kid(): string {
    return this.ring.primary.kid;
  }

  attest(statement: Statement): Attestation {
    return { mac: macOf(this.ring.primary, statement), macKid: this.ring.primary.kid };
  }

  /** By each key of the ring, the primary one first, on its own id. */
  attestKeys(statementOf: (kid: string) => Statement): Attestation[] {
    return this.ring.all().map((key) => ({ mac: macOf(key, statementOf(key.kid)), macKid: key.kid }));
  }

  /** False too where the key is not in the ring any more. */
  holds(statement: Statement, { mac, macKid }: Attestation): boolean {
    const key = this.ring.find(macKid);
    if (!key) return false;
    const expected = macOf(key, statement);
    return mac.length === expected.length && timingSafeEqual(mac, expected);
  }
}

function macOf({ attestation }: RingKey, statement: Statement): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(createHmac('sha256', attestation).update(JSON.stringify(statement)).digest());
}
