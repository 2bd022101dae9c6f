import { setTimeout as delay } from 'node:timers/promises';
import type { TokenEvents } from './events';
import type { LoadClients, RenewableClients } from './renewable-client';
import type { Random } from './renewal-policy';
import type { TokenCache } from './token-cache';
import type { QueueEntry, TokenStore } from './store/token-store';

/** Every client that is to be kept fresh, as whoever keeps them knows it. */
export interface ActiveClients {
  count(): Promise<number>;
  pages(): AsyncIterable<{ id: string; version: number; secretVersion: number }[]>;
}

/** Clients missing from the queue come back at about this rate, so that a lost queue does not become a herd. */
const refillPerSecond = 50;
/** Nor later than this: half the life of a token of five minutes. */
const refillWithinMs = 150_000;
/** Before the others come, so that every replica has put in what it served lately. */
const headStartMs = 2_000;
/** After one failure, such as that of a cluster which is not whole yet; twice as long after each further one. */
const againMs = { first: 1_000, atMost: 10_000 };

/** Sees to it that every active client is in the queue. */
export class Upkeep {
  #rebuilding = false;
  #failures = 0;
  #reconciling: Promise<number> | undefined;

  constructor(
    private readonly parts: {
      store: TokenStore;
      clients: RenewableClients;
      cache: TokenCache;
      active: ActiveClients;
      loadClients: LoadClients;
      events: Required<TokenEvents>;
      random: Random;
    },
  ) {}

  /**
   * Puts back those of the active clients that are missing from the queue, and keeps them all in memory, sealed. Returns
   * how many were missing.
   */
  reconcile(): Promise<number> {
    this.#reconciling ??= this.#reconcile().finally(() => (this.#reconciling = undefined));
    return this.#reconciling;
  }

  /**
   * The queue, or a part of it, was lost. Those clients first whose tokens are asked for: they are in this process, as
   * others are in other replicas. When the database is away, all that this process knows of.
   */
  async rebuild(): Promise<void> {
    if (this.#rebuilding) return;
    this.#rebuilding = true;
    const { store, clients, cache, events } = this.parts;
    try {
      await store.enqueue(this.#spread([...cache.clientIds()].map((id) => ({ id, secretVersion: 0 }))));
      await delay(headStartMs, undefined, { ref: false });
      // One that had begun before may have passed what is lost now, and say that all is whole.
      await this.#reconciling?.catch(() => undefined);
      await this.reconcile().catch(async (error: unknown) => {
        await store.enqueue(this.#spread([...clients.known()]));
        throw error;
      });
      this.#failures = 0;
    } catch (error) {
      events.fault({ what: 'rebuilding the queue', error });
      await delay(Math.min(againMs.first * 2 ** this.#failures++, againMs.atMost), undefined, { ref: false });
    } finally {
      this.#rebuilding = false;
    }
  }

  async #reconcile(): Promise<number> {
    const { store, clients, active, loadClients } = this.parts;
    const total = await active.count();
    let missing = 0;
    let failed: { error: unknown } | undefined;
    for await (const page of active.pages()) {
      // Before they can be claimed: a queue that was empty does not have each looked up by itself.
      const unknown = clients.confirm(page);
      if (unknown.length > 0) await clients.take(() => loadClients(unknown));
      // Where a part of the store is away, the others get theirs all the same.
      missing += await store.enqueue(this.#spread(page, total)).catch((error: unknown) => {
        failed = { error };
        return 0;
      });
    }
    if (failed) throw failed.error;
    await store.markWhole();
    return missing;
  }

  #spread(clients: { id: string; secretVersion: number }[], total = clients.length): QueueEntry[] {
    const withinMs = Math.min((total / refillPerSecond) * 1_000, refillWithinMs);
    return clients.map(({ id: clientId, secretVersion }) => {
      return { clientId, secretVersion, dueInMs: withinMs * this.parts.random() };
    });
  }
}
