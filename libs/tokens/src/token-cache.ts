import type { Clock } from '#providers';
import { LRUCache } from 'lru-cache';

/** Parts of an answer, already JSON. */
export interface TokenJson {
  readonly accessToken: string;
  /** `headers`, `scope`, `query`, `cookies` and `outputs`, as far as they are there, in this order; without the braces around them. */
  readonly rest: string;
}

/** A token as it is served. Immutable: a reply prepared from it stays right as long as the object is in the cache. */
export interface ServableToken {
  readonly clientId: string;
  readonly generation: string;
  /** Of the client's secrets that it was got with. */
  readonly secretVersion: number;
  /** The token itself: a plain string, since it is on its way out. */
  readonly accessToken: string;
  readonly tokenType: string;
  readonly scope?: string | undefined;
  /** Ready to send to the provider's API. */
  readonly headers: Readonly<Record<string, string>>;
  /** What an API call has to carry besides; cookies stand in `headers` too. */
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly cookies?: Readonly<Record<string, string>> | undefined;
  /** What else the provider told. */
  readonly outputs?: Readonly<Record<string, string>> | undefined;
  /** The token and what goes out with it, as JSON: for answers, which need not take it apart to put it together again. */
  readonly json: TokenJson;
  /** Never served past either of these, ms. */
  readonly serveUntil: number;
  readonly serveUntilMonotonic: number;
  readonly servableLifeMs: number;
  /** Its renewal is planned so many ms before it is served no more; absent where it may be brought forward on demand. */
  readonly plannedEarlyMs?: number | undefined;
  /** The next token will end it: services are told to come back when that is planned. */
  readonly singleLive?: true | undefined;
}

/** News arrives at once while the subscription is up; a check this often covers what it may have missed. */
const checkAfterMs = { newsArrives: 10_000, newsIsCut: 1_000 };
/** Once its renewal is due, a service is told that a single live token lasts this long, and comes back to ask again. */
const afterPlanMs = 1_000;
const maxEntries = 100_000;

interface Entry {
  token: ServableToken;
  checkedAt: number;
  /** Its provider takes it no more: any other that is in the store is better. */
  rejected: boolean;
}

/** The tokens that this process serves without asking anyone. */
export class TokenCache {
  // With `max` it would take the memory for all of them at once.
  readonly #entries = new LRUCache<string, Entry>({ maxSize: maxEntries, sizeCalculation: () => 1 });

  constructor(
    private readonly clock: Clock,
    private readonly newsArrives: () => boolean,
  ) {}

  get size(): number {
    return this.#entries.size;
  }

  /** The token, if it may still be served and need not be checked against the store first. */
  fresh(clientId: string): ServableToken | undefined {
    const entry = this.#entries.get(clientId);
    if (!entry || runwayMs(entry.token, this.clock) <= 0) return undefined;
    const age = this.clock.monotonic() - entry.checkedAt;
    // News that is lost must not let a token be served that the next one has ended.
    const newsIsEnough = this.newsArrives() && !entry.token.singleLive;
    return age < (newsIsEnough ? checkAfterMs.newsArrives : checkAfterMs.newsIsCut) ? entry.token : undefined;
  }

  /** The token, if it may still be served: for when the store does not answer, or has nothing. */
  servable(clientId: string): ServableToken | undefined {
    const entry = this.#entries.get(clientId);
    return entry && runwayMs(entry.token, this.clock) > 0 ? entry.token : undefined;
  }

  /** The token, if it may still be served and nothing was heard that says there is another one. */
  trusted(clientId: string): ServableToken | undefined {
    const entry = this.#entries.peek(clientId);
    return entry && entry.checkedAt !== -Infinity && runwayMs(entry.token, this.clock) > 0 ? entry.token : undefined;
  }

  /**
   * Keeps the object that is there when the generation is the same, with what was prepared from it; and one that is worth
   * more than what the store has.
   */
  keep(token: ServableToken): ServableToken {
    const entry = this.#entries.get(token.clientId);
    const known = entry?.token;
    const isKept =
      known?.generation === token.generation ||
      (known && !entry?.rejected && (this.#isLater(known, token) || this.#lastsLonger(known, token)));
    const kept = isKept ? known : token;
    const checkedAt = this.clock.monotonic();
    // One that is there is changed rather than replaced: a new one at each check would be what grows old and dies.
    if (!entry) this.#entries.set(token.clientId, { token, checkedAt, rejected: false });
    else {
      [entry.token, entry.checkedAt] = [kept, checkedAt];
      if (!isKept) entry.rejected = false;
    }
    return kept;
  }

  /** The store lost its last writes. By its end, too: generations fall when a clock does. */
  #isLater(known: ServableToken, token: ServableToken): boolean {
    const later = Number(known.generation) > Number(token.generation) && known.serveUntil > token.serveUntil;
    return later && runwayMs(known, this.clock) > 0;
  }

  /**
   * Another process, whose clock is behind, stored a token that has only a moment left by ours. Not where the newcomer
   * ended the one before it, or was got with other secrets. Nor where even all of its life would be shorter: the store
   * takes such a one only where the one before it is worth nothing any more, as when its provider is said to refuse it.
   */
  #lastsLonger(known: ServableToken, newcomer: ServableToken): boolean {
    const leftMs = runwayMs(known, this.clock);
    const isLonger = leftMs > runwayMs(newcomer, this.clock) && leftMs <= newcomer.servableLifeMs;
    return isLonger && !newcomer.singleLive && known.secretVersion === newcomer.secretVersion;
  }

  /** A later token is in the store: check at the next read, but keep this one in case the store does not answer. */
  doubt(clientId: string): void {
    const entry = this.#entries.peek(clientId);
    if (entry) entry.checkedAt = -Infinity;
  }

  /**
   * It is refused by its provider: any other that the store has, or will have, takes its place at the next read. Where
   * there is none it goes on being served.
   */
  giveWay(clientId: string, generation: string): void {
    const entry = this.#entries.peek(clientId);
    if (entry?.token.generation === generation) Object.assign(entry, { checkedAt: -Infinity, rejected: true });
  }

  drop(clientId: string): void {
    this.#entries.delete(clientId);
  }

  /** Those served last first. */
  clientIds(): Iterable<string> {
    return this.#entries.keys();
  }

  /** Of the token that was served last, whether or not it is over. */
  generationOf(clientId: string): string | undefined {
    return this.#entries.peek(clientId)?.token.generation;
  }

  has(clientId: string): boolean {
    return this.#entries.has(clientId);
  }
}

/** ms for which the token may still be served; whichever of the two clocks is moved, the other one holds. */
export function runwayMs(token: ServableToken, clock: Clock): number {
  return Math.min(token.serveUntil - clock.now(), token.serveUntilMonotonic - clock.monotonic());
}

/** ms that a service is told: as long as the token is served, or up to the moment at which the next one is to end it. */
export function toldMs(token: ServableToken, clock: Clock): number {
  const leftMs = runwayMs(token, clock);
  if (!token.singleLive) return leftMs;
  return Math.min(leftMs, Math.max(leftMs - (token.plannedEarlyMs ?? 0), afterPlanMs));
}
