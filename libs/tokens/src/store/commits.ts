import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '#providers';
import { turns } from '../turns';
import { byShard, channel, clientKeys } from './redis-keys';
import type { Reply } from './redis-replies';
import type { Claim, Commit, NewToken } from './token-store';

type Argument = string | number | Buffer;

/** So many in one command: neither Redis nor this process does anything else meanwhile. */
const together = 16;
/** So many are told in one turn of the event loop. */
const toldTogether = 4;
/** Longer values would cost the client's hash its compact encoding. */
const maxRequestIdBytes = 64;

interface Waiting {
  claim: Claim;
  token: NewToken;
  since: number;
  resolve: (commit: Commit) => void;
  reject: (error: unknown) => void;
}

/** What comes in quick succession is stored together; what comes alone, or is waited for, goes at once. */
export class Commits {
  #wentAt = -Infinity;
  #waiting: Waiting[] = [];

  constructor(
    private readonly options: {
      store: (keys: string[], args: Argument[]) => Promise<Reply>;
      /** In a cluster no command can be about more. */
      onlyOneShard: boolean;
      /** For how long others are waited for at most, ms. */
      gatherMs: number;
      clock: Clock;
      /** ms added to Redis' clock; only tests move it. */
      clockShiftMs: () => number;
      /** Hears what Redis has against one of many: where it is against all of them, the command failed. */
      onRefused: (error: Error) => void;
    },
  ) {}

  add(claim: Claim, token: NewToken): Promise<Commit> {
    return new Promise((resolve, reject) => {
      const since = this.options.clock.monotonic();
      const one = { claim, token, since, resolve, reject };
      // On demand, somebody waits.
      if (claim.latenessMs === undefined) return void this.#store([one]);
      if (this.#waiting.push(one) === 1) void this.#letGo(Math.max(0, this.#wentAt + this.options.gatherMs - since));
    });
  }

  async #letGo(waitMs: number): Promise<void> {
    if (waitMs > 0) await delay(waitMs);
    this.#wentAt = this.options.clock.monotonic();
    const gathered = this.#waiting;
    this.#waiting = [];
    const { onlyOneShard } = this.options;
    const groups = onlyOneShard ? byShard(gathered, ({ claim }) => claim.clientId).values() : [gathered];
    const scripts = [...groups].flatMap((group) =>
      Array.from({ length: Math.ceil(group.length / together) }, (_, i) =>
        group.slice(i * together, (i + 1) * together),
      ),
    );
    for (const [i, tokens] of scripts.entries()) {
      if (i > 0) await turns.next();
      void this.#store(tokens);
    }
  }

  async #store(tokens: Waiting[]): Promise<void> {
    const { store, clock, clockShiftMs, onRefused } = this.options;
    const keys = tokens.flatMap(({ claim }) => {
      const { due, client, trouble, token } = clientKeys(claim.clientId);
      return [due, client, trouble, token];
    });
    const now = clock.monotonic();
    const args = tokens.flatMap(({ claim, token, since }) => argumentsOf(claim, token, Math.floor(now - since)));
    try {
      const answers = await store(keys, [channel, clockShiftMs(), ...args]);
      for (const [i, { resolve, reject }] of tokens.entries()) {
        if (i > 0 && i % toldTogether === 0) await turns.next();
        const [outcome, more] = answers[i] as unknown as Reply;
        if (String(outcome) === 'failed') {
          const error = new Error(String(more));
          onRefused(error);
          reject(error);
        } else resolve({ outcome: String(outcome) as Commit['outcome'], freshAgain: Number(more) === 1 });
      }
    } catch (error) {
      for (const { reject } of tokens) reject(error);
    }
  }
}

/** As `commit-n.lua` has them. */
function argumentsOf({ clientId, generation, inTrouble }: Claim, token: NewToken, waitedMs: number): Argument[] {
  const { fingerprints, nextBeforeEndMs, unplannedRenewInMs, providerRequestId = '' } = token;
  const numbers = [
    ...[token.secretVersion, Math.floor(token.runwayMs - waitedMs), Math.floor(token.serveUntil)],
    ...[Math.floor(token.servableLifeMs), Math.ceil(token.renewInMs - waitedMs), Math.floor(token.marginMs)],
    ...[nextBeforeEndMs === undefined ? -Infinity : Math.floor(nextBeforeEndMs), token.endsOthers ? 1 : 0],
    ...[Math.ceil(token.minIntervalMs ?? 0), unplannedRenewInMs === undefined ? -1 : Math.ceil(unplannedRenewInMs)],
    ...[Math.round(token.durationMs ?? 0), inTrouble ? 1 : 0],
  ];
  const packed = Buffer.allocUnsafe(8 * numbers.length);
  for (const [i, number] of numbers.entries()) packed.writeDoubleBE(number, 8 * i);
  const prints = fingerprints.length > 0 ? ` ${fingerprints.join(' ')} ` : '';
  return [clientId, generation, token.sealed, prints, providerRequestId.slice(0, maxRequestIdBytes), packed];
}
