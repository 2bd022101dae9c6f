import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import ipaddr from 'ipaddr.js';
import { LRUCache } from 'lru-cache';
import { Problem } from '../problem';

interface Limit {
  /** Attempts at once. */
  burst: number;
  perSecond: number;
}

const ofAddress: Limit = { burst: 100, perSecond: 10 };
const ofPrefix: Limit = { burst: 20, perSecond: 2 };
/** Of each kind. Who comes from more addresses than that has them forgotten, and costs no more memory. */
const maxRemembered = 10_000;
const lateMs = 1_000;
const maxLate = 1_000;
const retryAfterSeconds = 10;

/** Attempts that are allowed, filled up again with time. */
class Allowances {
  readonly #left = new LRUCache<string, { attempts: number; at: number }>({ max: maxRemembered });

  constructor(
    private readonly limit: Limit,
    private readonly monotonic: () => number,
  ) {}

  take(whose: string): boolean {
    const { burst, perSecond } = this.limit;
    const now = this.monotonic();
    const before = this.#left.get(whose) ?? { attempts: burst, at: now };
    const attempts = Math.min(burst, before.attempts + ((now - before.at) / 1_000) * perSecond);
    const allowed = attempts >= 1;
    this.#left.set(whose, { attempts: allowed ? attempts - 1 : attempts, at: now });
    return allowed;
  }
}

/**
 * Bad keys, counted by where they come from and by which key they pretend to be. Who sends too many is answered late: a
 * flood slows itself down. Good keys are never counted, so they notice nothing, wherever they come from.
 */
export class Flood {
  readonly #addresses: Allowances;
  readonly #prefixes: Allowances;
  #late = 0;

  constructor(
    monotonic: () => number = () => performance.now(),
    private readonly wait: (ms: number) => Promise<unknown> = (ms) => delay(ms, undefined, { ref: false }),
  ) {
    this.#addresses = new Allowances(ofAddress, monotonic);
    this.#prefixes = new Allowances(ofPrefix, monotonic);
  }

  /** Whether one more bad attempt is answered at once. @param prefix of a key that there is */
  allows(address: string, prefix: string | undefined): boolean {
    return this.#addresses.take(network(address)) && (prefix === undefined || this.#prefixes.take(prefix));
  }

  /** The late answer. Where too many wait for theirs, this one has its connection cut; without a socket, it is not late. */
  async late(socket: Socket | undefined): Promise<Problem> {
    if (this.#late >= maxLate) socket?.destroy();
    else {
      this.#late++;
      await this.wait(lateMs).finally(() => this.#late--);
    }
    return new Problem('too_many_requests', 'Too many bad keys have come from this address, or for this key.', {
      headers: { 'retry-after': String(retryAfterSeconds) },
    });
  }
}

/** Whoever has an IPv6 address has 2^64 of them. */
function network(address: string): string {
  if (!ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4' ? parsed.toString() : parsed.toByteArray().slice(0, 8).join(':');
}
