import type { Access, ClientAccess } from '#registry';
import type { ApiKeys } from '#vault';
import type { CertificateDoor } from './certificates/certificate-door';
import { type Credentials, credentialsOf } from './credentials';
import { Epochs } from './epochs';
import { Flood } from './flood';
import { isJwt, type JwtDoor } from './jwt/jwt-door';
import { KeyDoor } from './key-door';
import { type Caller, type Principal, type Proof, Refusal, type RefusalReason } from './principal';
import type { Proxies } from './proxies';
import { Lookups, type Remembered } from './remembered';
import type { Seldom } from './seldom';

export { type Caller, type Credentials, credentialsOf, type Principal };

const nothingShown = new Refusal('missing');
/** JWTs are long. */
const maxChars = 8_300;

/** A way to show who one is. */
interface Door {
  /** `undefined`: it takes a while to say. */
  now(shown: string): Proof | Refusal | undefined;
  /** @param came when it was shown, in monotonic time */
  find(shown: string, came: number): Promise<Proof | Refusal>;
}

/** A service and a client that was named with it. */
class Granted {
  /** Who asked for it last: the same object as long as it is the same caller. */
  caller: KnownCaller | undefined;

  constructor(readonly client?: ClientAccess) {}
}

class KnownCaller implements Caller {
  readonly principal: Principal;

  constructor(
    readonly proof: Proof,
    readonly client: ClientAccess | undefined,
    private readonly isGranted: () => boolean,
  ) {
    this.principal = proof.principal;
  }

  holds(): boolean {
    return this.proof.holds() && this.isGranted();
  }
}

export interface AuthenticatorParts {
  access: Access;
  apiKeys: ApiKeys;
  /** Absent: no issuer of JWTs is trusted. */
  jwts?: JwtDoor;
  /** Absent: client certificates say nothing. */
  certificates?: CertificateDoor;
  proxies: Proxies;
  seldom: Seldom;
  /** Hears of each request that is nobody's. */
  refused?: (reason: RefusalReason) => void;
  monotonic?: () => number;
}

/**
 * Finds out who sends a request, and what it may do with the client that it names. What the database said holds as long
 * as nothing has changed there, which it is asked four times a second; when it does not answer, what it said last goes on
 * holding, so that a token that is still good is served whatever else is broken.
 */
export class Authenticator {
  readonly epochs: Epochs;
  readonly #keys: KeyDoor;
  readonly #grants: Lookups<Granted>;
  readonly #flood: Flood;
  readonly #uses = new Map<string, Date>();

  constructor(private readonly parts: AuthenticatorParts) {
    const { access, apiKeys, monotonic } = parts;
    this.#flood = new Flood(monotonic);
    this.epochs = new Epochs(() => access.epoch(), monotonic);
    this.#keys = new KeyDoor(access, apiKeys, this.epochs);
    this.#grants = new Lookups(
      this.epochs,
      async (asked) => {
        const { epoch, found } = await access.grants(asked);
        return { epoch, found: new Map([...found].map(([pair, { client }]) => [pair, new Granted(client)])) };
      },
      ({ client }) => client !== undefined,
    );
  }

  /**
   * The caller if it is known at this moment without asking the database; `undefined`: ask `identify`; `null`: nobody.
   * It is the same object again while nothing has changed.
   */
  identifyNow(credentials: Credentials, clientName = ''): Caller | null | undefined {
    const proof = this.#proofNow(credentials);
    const found = proof && !(proof instanceof Refusal) ? this.#grantedNow(proof, clientName) : proof;
    if (!(found instanceof Refusal)) return found;
    // Who sends too many bad keys is answered late, which takes `identify`.
    return this.#isAnswered(found, credentials) ? null : undefined;
  }

  /**
   * @throws when the database does not answer and the caller was not known before; Problem `issuer_unavailable` when nobody
   *   can say whether a JWT is good, `too_many_requests` after too many bad attempts
   */
  async identify(credentials: Credentials, clientName = ''): Promise<Caller | null> {
    const proof = this.#proofNow(credentials) ?? (await this.#prove(credentials));
    const found = proof instanceof Refusal ? proof : await this.#granted(proof, clientName);
    if (!(found instanceof Refusal)) return found;
    if (this.#isAnswered(found, credentials)) return null;
    this.parts.refused?.('throttled');
    // A proxy whose connections are cut takes this replica for one that is broken, to everybody's harm.
    const isProxy = this.parts.proxies.trusts(credentials.address);
    throw await this.#flood.late(credentials.socket, !isProxy);
  }

  /**
   * Whether what was said of the caller still holds without asking the database: for who has seen him show the very same
   * credentials before, and need not see them judged again. It counts as a use.
   */
  stillKnown(caller: Caller): boolean {
    if (!(caller instanceof KnownCaller) || !caller.holds()) return false;
    this.#note(caller.principal);
    return true;
  }

  /** When each key was used last, since this was asked before. */
  takeUses(): Map<string, Date> {
    const uses = new Map(this.#uses);
    this.#uses.clear();
    return uses;
  }

  /** They could not be written down: keep them for the next time. */
  putBackUses(uses: Map<string, Date>): void {
    for (const [keyId, at] of uses) if (!this.#uses.has(keyId)) this.#uses.set(keyId, at);
  }

  /** Keys or grants have just been changed in this process: ask the database again before the next answer. */
  doubt(): void {
    this.#keys.doubt();
    this.#grants.doubt();
  }

  /**
   * Asks whether anything has changed, and reads again what is in use then.
   * @throws when the database does not answer
   */
  async refresh(): Promise<void> {
    const before = this.epochs.epoch?.found;
    await this.epochs.poll();
    if (before !== this.epochs.epoch?.found) await Promise.all([this.#keys.readAhead(), this.#grants.readAhead()]);
    // What fails of it is done after the next poll.
    for (const known of [this.#keys, this.#grants]) void known.sweep().catch(() => undefined);
  }

  /** A certificate counts where there is no Authorization; where there is, it alone does. */
  #proofNow(credentials: Credentials): Proof | Refusal | undefined {
    const { authorization } = credentials;
    if (authorization === undefined) return this.parts.certificates?.find(credentials) ?? nothingShown;
    const shown = bearer(authorization);
    return shown === undefined ? new Refusal('malformed') : this.#door(shown).now(shown);
  }

  /** Asks who it is. Where a flood of bad keys comes from, what looks like one more of it waits for what is asked anyway. */
  async #prove(credentials: Credentials): Promise<Proof | Refusal> {
    const shown = bearer(credentials.authorization) ?? '';
    const came = this.epochs.monotonic();
    if (this.#isDoubtful(shown, credentials)) {
      await this.#flood.pause(credentials.socket);
      if (credentials.socket?.destroyed) return new Refusal('unknown_key');
    }
    return this.#door(shown).find(shown, came);
  }

  #grantedNow(proof: Proof, clientName: string): Caller | Refusal | undefined {
    const pair = grantId(proof.principal, clientName);
    if (pair === undefined) return this.#caller(proof, undefined);
    const granted = this.#grants.now(pair);
    return granted && this.#caller(proof, granted);
  }

  async #granted(proof: Proof, clientName: string): Promise<Caller | Refusal> {
    const pair = grantId(proof.principal, clientName);
    return this.#caller(proof, pair === undefined ? undefined : await this.#grants.get(pair));
  }

  #door(shown: string): Door {
    const { jwts } = this.parts;
    return jwts && isJwt(shown) ? jwts : this.#keys;
  }

  /** Whether it is a new key or none, from where many come that are none. */
  #isDoubtful(shown: string, { address, forwardedFor }: Credentials): boolean {
    if (this.#door(shown) !== this.#keys || !this.#keys.isStranger(shown)) return false;
    return this.#flood.isUnderWay(this.parts.proxies.origin(address, forwardedFor));
  }

  /** Whether a refusal is told at once. One without any credentials is no attempt. */
  #isAnswered({ reason, prefix }: Refusal, { address, forwardedFor }: Credentials): boolean {
    const { proxies, refused } = this.parts;
    if (reason !== 'missing' && !this.#flood.allows(proxies.origin(address, forwardedFor), prefix)) return false;
    refused?.(reason);
    return true;
  }

  #caller(proof: Proof, granted: Remembered<Granted> | undefined): Caller | Refusal {
    const { principal } = proof;
    if (granted && !granted.value) {
      const hint = 'make it with POST /v1/services, or correct what maps callers to services';
      this.parts.seldom.say('a caller was taken for a service that there is not', { service: principal.name, hint });
      return new Refusal('unknown_service');
    }
    this.#note(principal);
    if (!granted) return new KnownCaller(proof, undefined, () => true);
    const value = granted.value!;
    if (value.caller?.proof !== proof) {
      value.caller = new KnownCaller(proof, value.client, () => this.#grants.holds(granted));
    }
    return value.caller;
  }

  #note({ keyId }: Principal): void {
    if (keyId === undefined) return;
    const used = this.#uses.get(keyId);
    if (used) used.setTime(Date.now());
    else this.#uses.set(keyId, new Date());
  }
}

/** What is asked of the grants, if anything: admins have none, and a key alone says that there is its service. */
function grantId({ kind, name, keyId }: Principal, clientName: string): string | undefined {
  return kind === 'admin' || (clientName === '' && keyId !== undefined) ? undefined : `${name} ${clientName}`;
}

/** RFC 6750 2.1; the scheme is case-insensitive (RFC 9110 11.1). */
function bearer(authorization: string | undefined): string | undefined {
  if (authorization === undefined || authorization.length > maxChars) return undefined;
  return /^bearer +(\S+)$/i.exec(authorization)?.[1];
}
