import { createHash } from 'node:crypto';
import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import { LRUCache } from 'lru-cache';
import type { ReadDocument } from '#providers';
import { singleFlight } from '#tokens';
import { isName } from '../../admin/name';
import type { JwtIssuer, ServiceClaim } from '../../config/jwt-issuers';
import { Problem } from '../../problem';
import { type Proof, Refusal } from '../principal';
import type { Seldom } from '../seldom';
import { IssuerAway, IssuerKeys } from './issuer-keys';

const maxKnown = 10_000;
const maxChars = 8_192;
const maxClaimChars = 512;
const leewaySeconds = 60;
/** A JSON object in base64url begins so. The key that an operator chose may have dots, too. */
const form = /^e[wy][\w-]{1,2000}\.[\w-]+\.[\w-]+$/;

/** Whether it is worth to be looked at as a JWT: none of our keys has a dot. */
export function isJwt(text: string): boolean {
  return text.length <= maxChars && form.test(text);
}

/** Who comes with a JWT of an issuer that the operator has named (RFC 9068, without what Kubernetes leaves out). */
export class JwtDoor {
  readonly #issuers: ReadonlyMap<string, IssuerKeys>;
  /** By digest: no more than that is kept of a token. */
  readonly #known = new LRUCache<string, Proof>({ max: maxKnown });
  readonly #checking = new Map<string, Promise<Proof | Refusal>>();

  constructor(
    issuers: readonly JwtIssuer[],
    read: ReadDocument,
    private readonly seldom: Seldom,
    monotonic: () => number = () => performance.now(),
  ) {
    this.#issuers = new Map(issuers.map((one) => [one.issuer, new IssuerKeys(one, read, seldom, monotonic)]));
  }

  /** What is known without work; `undefined`: ask `find`. */
  now(token: string): Proof | undefined {
    const known = this.#known.get(digestOf(token));
    return known?.holds() ? known : undefined;
  }

  /** @throws Problem `issuer_unavailable` */
  find(token: string): Promise<Proof | Refusal> {
    const digest = digestOf(token);
    return singleFlight(this.#checking, digest, () => this.#check(token, digest));
  }

  async #check(token: string, digest: string): Promise<Proof | Refusal> {
    const read = decode(token);
    if (!read) return new Refusal('malformed');
    const { header, claims } = read;
    const keys = typeof claims.iss === 'string' ? this.#issuers.get(claims.iss) : undefined;
    if (!keys) return new Refusal('jwt_issuer');
    const { issuer } = keys;
    const { iss } = claims;
    if (header.crit !== undefined || !isRightType(header.typ, issuer.typ))
      return this.#refuse('jwt_form', { iss, typ: header.typ, crit: header.crit });
    try {
      const { version } = keys;
      const { payload } = await keys.verify(token, {
        issuer: issuer.issuer,
        audience: [...issuer.audiences],
        algorithms: [...issuer.algorithms],
        clockTolerance: leewaySeconds,
        requiredClaims: ['exp'],
      });
      if (typeof payload.iat === 'number' && payload.iat > Date.now() / 1_000 + leewaySeconds)
        return this.#refuse('jwt_claims', { iss, why: 'iat is in the future' });
      return this.#remember(digest, payload, keys, version);
    } catch (error) {
      if (error instanceof IssuerAway) {
        throw new Problem('issuer_unavailable', 'The keys of the issuer of this JWT cannot be had now.', {
          headers: { 'retry-after': '5' },
        });
      }
      return this.#refuse('jwt_claims', { iss, why: (error as Error).message });
    }
  }

  #remember(digest: string, claims: JWTPayload, keys: IssuerKeys, version: number): Proof | Refusal {
    const name = serviceIn(claims, keys.issuer.service);
    if (name === undefined) {
      this.seldom.say('a good JWT names no service: compare "service" in JWT_ISSUERS with its claims', {
        issuer: keys.issuer.issuer,
        subject: String(claims.sub).slice(0, maxClaimChars),
      });
      return new Refusal('jwt_service');
    }
    const endsAt = (claims.exp! + leewaySeconds) * 1_000;
    const holds = (): boolean => {
      keys.keepUp();
      return Date.now() < endsAt && keys.version === version;
    };
    const proof: Proof = { principal: { kind: 'service', name }, holds };
    // Keys that were read while it was verified are newer than what is remembered: it is verified once more then.
    this.#known.set(digest, proof);
    return proof;
  }

  #refuse(reason: Refusal['reason'], fields: Record<string, unknown>): Refusal {
    this.seldom.say('a JWT was refused', { reason, ...fields });
    return new Refusal(reason);
  }
}

function digestOf(token: string): string {
  return createHash('sha256').update(token).digest('base64');
}

function decode(token: string): { header: ProtectedHeaderParameters; claims: JWTPayload } | undefined {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    return undefined;
  }
}

/** RFC 9068 4: `at+jwt`, in any case and with or without `application/`. Kubernetes has none, others say `JWT`. */
function isRightType(typ: unknown, wanted: string | undefined): boolean {
  if (typ !== undefined && typeof typ !== 'string') return false;
  const said = typ?.toLowerCase().replace(/^application\//, '');
  return wanted === undefined ? said === undefined || said === 'at+jwt' || said === 'jwt' : said === wanted;
}

function serviceIn(claims: JWTPayload, { path, pattern }: ServiceClaim): string | undefined {
  let value: unknown = claims;
  for (const name of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
    value = (value as Record<string, unknown>)[name];
  }
  if (typeof value !== 'string' || value.length > maxClaimChars) return undefined;
  const service = pattern ? pattern.exec(value)?.groups?.['service'] : value;
  return service !== undefined && isName(service) ? service : undefined;
}
