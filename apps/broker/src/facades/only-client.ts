import { setTimeout as delay } from 'node:timers/promises';
import type { ProviderDefinition } from '#providers';
import type { Definitions, GrantedClients, GrantedKind } from '#registry';
import { singleFlight } from '#tokens';
import { CannotOpen } from '#vault';
import { LRUCache } from 'lru-cache';
import { holdsMs, patienceMs } from '../auth/epochs';

/** As long as what is known of a key; longer where the look-up takes long, as with a label that many clients carry. */
const knownForMs = { least: holdsMs, most: 30_000, timesItsDuration: 20 };
const maxServices = 10_000;

interface Entry {
  kinds: GrantedKind[];
  until: number;
}

/** Whether a client of this definition comes into question. */
export type Suits = (definition: ProviderDefinition) => boolean;

/** The client that is meant, or how many could be. */
export type Meant = { client: string } | { choices: number };

/**
 * Finds the client that a service means when it names none: the only one that it was granted. That is a name and no
 * permission: whether the service may have the token is asked as always.
 */
export class OnlyClient {
  readonly #known = new LRUCache<string, Entry>({ max: maxServices });
  readonly #checks = new Map<string, Promise<Entry>>();

  constructor(
    private readonly granted: Pick<GrantedClients, 'kinds'>,
    private readonly definitions: Pick<Definitions, 'load'>,
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** @throws when the database does not answer and the service was not asked for before */
  async of(service: string, suits?: Suits): Promise<Meant> {
    const kinds = await this.#kinds(service);
    const fitting = suits ? await this.#fitting(kinds, suits) : kinds;
    const choices = fitting.reduce((sum, { clients }) => sum + clients, 0);
    return choices === 1 ? { client: fitting[0]!.example } : { choices };
  }

  async #kinds(service: string): Promise<GrantedKind[]> {
    const before = this.#known.get(service);
    if (before && this.monotonic() < before.until) return before.kinds;
    const checking = singleFlight(this.#checks, service, () => this.#check(service));
    if (!before) return (await checking).kinds;
    const after = await Promise.race([checking.catch(() => before), delay(patienceMs, before)]);
    // No answer: what was known holds for another second.
    if (after === before) before.until = this.monotonic() + knownForMs.least;
    return after.kinds;
  }

  async #check(service: string): Promise<Entry> {
    const startedAt = this.monotonic();
    const kinds = await this.granted.kinds(service);
    const now = this.monotonic();
    const { least, most, timesItsDuration } = knownForMs;
    const entry = { kinds, until: now + Math.min(most, Math.max(least, (now - startedAt) * timesItsDuration)) };
    this.#known.set(service, entry);
    return entry;
  }

  async #fitting(kinds: GrantedKind[], suits: Suits): Promise<GrantedKind[]> {
    const fits = await Promise.all(kinds.map((kind) => this.#fits(kind, suits)));
    return kinds.filter((_, index) => fits[index]);
  }

  async #fits({ provider, providerVersion }: GrantedKind, suits: Suits): Promise<boolean> {
    try {
      return suits((await this.definitions.load(provider, providerVersion)).definition);
    } catch (error) {
      // Tokens of a client whose definition cannot be used are not to be had.
      if (error instanceof CannotOpen) return false;
      throw error;
    }
  }
}
