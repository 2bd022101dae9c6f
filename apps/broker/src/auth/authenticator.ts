import type { IncomingMessage } from 'node:http';
import type { Access, ClientAccess } from '#registry';
import type { ApiKeys } from '#vault';
import { Epochs } from './epochs';
import { isJwt, type JwtDoor } from './jwt/jwt-door';
import { KeyDoor } from './key-door';
import { type Caller, type Principal, type Proof, Refusal } from './principal';
import { Lookups, type Remembered } from './remembered';
import type { Seldom } from './seldom';

export type { Caller, Principal };

/** What a request says of who sends it. */
export interface Credentials {
  /** The header, as it came. */
  authorization: string | undefined;
  /** Of the program at the other end of the connection. */
  address: string;
}

/** JWTs are long. */
const maxChars = 8_300;

/** A way to show who one is. */
interface Door {
  /** `undefined`: it takes a while to say. */
  now(shown: string): Proof | Refusal | undefined;
  find(shown: string): Promise<Proof | Refusal>;
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
  seldom: Seldom;
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
  readonly #uses = new Map<string, Date>();

  constructor(private readonly parts: AuthenticatorParts) {
    const { access, apiKeys, monotonic } = parts;
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
  identifyNow({ authorization }: Credentials, clientName = ''): Caller | null | undefined {
    const shown = bearer(authorization);
    if (shown === undefined) return null;
    const proof = this.#door(shown).now(shown);
    if (proof === undefined) return undefined;
    if (proof instanceof Refusal) return null;
    const pair = grantId(proof.principal, clientName);
    const granted = pair === undefined ? undefined : this.#grants.now(pair);
    return pair !== undefined && !granted ? undefined : this.#caller(proof, granted);
  }

  /**
   * @throws when the database does not answer and the caller was not known before; Problem `issuer_unavailable` when nobody
   *   can say whether a JWT is good
   */
  async identify(credentials: Credentials, clientName = ''): Promise<Caller | null> {
    const now = this.identifyNow(credentials, clientName);
    if (now !== undefined) return now;
    const shown = bearer(credentials.authorization)!;
    const proof = await this.#door(shown).find(shown);
    if (proof instanceof Refusal) return null;
    const pair = grantId(proof.principal, clientName);
    return this.#caller(proof, pair === undefined ? undefined : await this.#grants.get(pair));
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
    if (before === this.epochs.epoch?.found) return;
    await Promise.all([this.#keys.readAhead(), this.#grants.readAhead()]);
  }

  #door(shown: string): Door {
    const { jwts } = this.parts;
    return jwts && isJwt(shown) ? jwts : this.#keys;
  }

  #caller(proof: Proof, granted: Remembered<Granted> | undefined): Caller | null {
    const { principal } = proof;
    if (granted && !granted.value) {
      const hint = 'make it with POST /v1/services, or correct what maps callers to services';
      this.parts.seldom.say('a caller was taken for a service that there is not', { service: principal.name, hint });
      return null;
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

export function credentialsOf({ headers, socket }: Pick<IncomingMessage, 'headers' | 'socket'>): Credentials {
  return { authorization: headers.authorization, address: socket.remoteAddress ?? '' };
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
