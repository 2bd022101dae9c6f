import { isIPv4, type Socket } from 'node:net';
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
/** Below that share of its attempts, an address is one from which a flood comes. */
const fewShare = 0.1;
/** By then the database has been asked anyway whether there are new keys. */
const pauseMs = 300;
const lateMs = 1_000;
const maxWaiting = 1_000;

/** One for all: to make an error takes longer than all else that a bad attempt costs. */
const tooMany = new Problem('too_many_requests', 'Too many bad keys have come from this address, or for this key.', {
  headers: { 'retry-after': '10' },
});

/** Attempts that are allowed, filled up again with time. */
class Allowances {
  readonly #left = new LRUCache<string, { attempts: number; at: number }>({ max: maxRemembered });

  constructor(
    private readonly limit: Limit,
    private readonly monotonic: () => number,
  ) {}

  take(whose: string): boolean {
    const { attempts, at } = this.#present(whose);
    const allowed = attempts >= 1;
    this.#left.set(whose, { attempts: allowed ? attempts - 1 : attempts, at });
    return allowed;
  }

  areFew(whose: string): boolean {
    return this.#present(whose).attempts < this.limit.burst * fewShare;
  }

  #present(whose: string): { attempts: number; at: number } {
    const { burst, perSecond } = this.limit;
    const at = this.monotonic();
    const before = this.#left.get(whose) ?? { attempts: burst, at };
    return { attempts: Math.min(burst, before.attempts + ((at - before.at) / 1_000) * perSecond), at };
  }
}

/**
 * Bad keys, counted by where they come from and by which key they pretend to be. Who sends too many is answered late: a
 * flood slows itself down. Good keys are never counted, so they notice nothing, wherever they come from.
 */
export class Flood {
  readonly #addresses: Allowances;
  readonly #prefixes: Allowances;
  #waiting = 0;

  constructor(
    monotonic: () => number = () => performance.now(),
    private readonly wait: (ms: number, socket: Socket | undefined) => Promise<void> = unlessItEnds,
  ) {
    this.#addresses = new Allowances(ofAddress, monotonic);
    this.#prefixes = new Allowances(ofPrefix, monotonic);
  }

  /** Whether one more bad attempt is answered at once. @param prefix of a key that there is */
  allows(address: string, prefix: string | undefined): boolean {
    return this.#addresses.take(network(address)) && (prefix === undefined || this.#prefixes.take(prefix));
  }

  isUnderWay(address: string): boolean {
    return this.#addresses.areFew(network(address));
  }

  /** Before it is judged, which costs less then. Where too many wait, it does not. */
  async pause(socket: Socket | undefined): Promise<void> {
    if (this.#waiting < maxWaiting) await this.#keepWaiting(pauseMs, socket);
  }

  /** The late answer. Where too many wait for theirs, this one has its connection cut, or, if it may not be, is not late. */
  async late(socket: Socket | undefined, mayCut: boolean): Promise<Problem> {
    if (this.#waiting < maxWaiting) await this.#keepWaiting(lateMs, socket);
    else if (mayCut) socket?.destroy();
    return tooMany;
  }

  async #keepWaiting(ms: number, socket: Socket | undefined): Promise<void> {
    if (socket?.readableEnded) socket.destroy();
    if (socket?.destroyed) return;
    this.#waiting++;
    await this.wait(ms, socket);
    this.#waiting--;
  }
}

/**
 * That long or half as long again, so that those who come at once do not come back at once. Over where the caller hangs up,
 * or says that it will send nothing more: who opens a connection for each attempt must not have all of them kept.
 */
function unlessItEnds(ms: number, socket: Socket | undefined): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      socket?.off('end', hangUp).off('close', end);
      resolve();
    };
    const hangUp = (): void => {
      socket?.destroy();
      end();
    };
    const timer = setTimeout(end, ms * (1 + Math.random() / 2)).unref();
    // Requests in a row on one connection may all be late.
    socket?.setMaxListeners(0).on('end', hangUp).on('close', end);
  });
}

/** Whoever has an IPv6 address has 2^64 of them. */
function network(address: string): string {
  if (isIPv4(address) || !ipaddr.isValid(address)) return address;
  const parsed = ipaddr.process(address);
  return parsed.kind() === 'ipv4' ? parsed.toString() : parsed.toByteArray().slice(0, 8).join(':');
}
