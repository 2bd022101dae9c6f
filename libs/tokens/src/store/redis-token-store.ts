import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Clock, systemClock } from '#providers';
import type { Redis } from 'ioredis';
import { attemptsKept, failedAttempt } from './attempts';
import { isFull } from '../errors';
import { Commits } from './commits';
import { Generations } from './generations';
import { connectRedis, type RedisConnection } from './redis-connection';
import { byShard, channel, clientKeys, permitsKey, shardCount, shardKeys } from './redis-keys';
import { RedisNews } from './redis-news';
import { overviewOf } from './redis-overview';
import { attemptsIn, claimAnswer, historyFields, type Reply, stateIn } from './redis-replies';
import {
  type Attempt,
  type Attempts,
  type Claim,
  type ClaimAnswer,
  type ClientState,
  type Commit,
  type DueClaims,
  type Health,
  leaseMs,
  minRestMs,
  type NewToken,
  type News,
  type Overview,
  type QueueEntry,
  type Quota,
  type RejectionAnswer,
  type TokenStore,
} from './token-store';

/** Attempts that failed are forgotten when none has followed for so long. */
const failuresKeptMs = 7 * 24 * 3_600_000;
/** Of many renewals, Redis is woken for a few at a time: that costs it more than what they ask for. */
const commitsGatherMs = 50;
const askAgainMs = 1_000;

const scripts = {
  claimDue: 2,
  claimOne: 3,
  claimRejected: 3,
  asking: 2,
  postpone: 4,
  read: 3,
  enqueue: 2,
  change: 3,
  remove: 6,
  takePermits: 1,
  /** As many as are asked for, told before them. */
  commit: 'n',
  generations: 'n',
} as const;

type ScriptCall = (...args: (string | number | Buffer)[]) => Promise<Reply>;
type Scripted = Redis & Record<`${keyof typeof scripts}Buffer`, ScriptCall> & Record<keyof typeof scripts, ScriptCall>;

export interface RedisTokenStoreOptions {
  clock?: Clock;
  /** The connection is gone, or could not be made; said at every attempt. */
  onLost?: (error: Error) => void;
  onReady?: () => void;
  /** It refused to write since its memory is full; said at every refusal. */
  onFull?: (error: Error) => void;
  /** It does not refuse when its memory is full: it throws away what it likes. */
  onEvicting?: (policy: string) => void;
}

/** The token store of a fleet. What its keys hold stands in `redis-keys.ts`; what moves them, in `lua/`. */
export class RedisTokenStore implements TokenStore {
  /** ms added to Redis' clock; only tests move it. */
  clockShiftMs = 0;
  readonly #clock: Clock;
  readonly #connection: RedisConnection;
  readonly #redis: Scripted;
  readonly #news: RedisNews;
  readonly #commits: Commits;
  readonly #generations: Generations;

  constructor(url: string, { clock = systemClock, onLost, onReady, onFull, onEvicting }: RedisTokenStoreOptions = {}) {
    this.#clock = clock;
    const onRefused = (error: Error): void => {
      if (isFull(error)) onFull?.(error);
    };
    this.#connection = connectRedis(url, onRefused);
    this.#redis = this.#connection.commands as Scripted;
    for (const [name, numberOfKeys] of Object.entries(scripts)) {
      const lua = readFileSync(join(__dirname, 'lua', `${name}-${numberOfKeys}.lua`), 'utf8');
      this.#redis.defineCommand(name, numberOfKeys === 'n' ? { lua } : { numberOfKeys, lua });
    }
    this.#redis.on('error', onLost ?? (() => undefined));
    if (onReady) this.#redis.on('ready', onReady);
    if (onEvicting) this.#redis.on('ready', () => void this.#tellOfEviction(onEvicting));
    const { isCluster } = this.#connection;
    this.#commits = new Commits({
      store: (keys, args) => this.#redis.commit(keys.length, ...keys, ...args),
      onlyOneShard: isCluster,
      gatherMs: commitsGatherMs,
      clock,
      clockShiftMs: () => this.clockShiftMs,
      onRefused,
    });
    this.#generations = new Generations(async (keys) => {
      const reply = this.#redis.generations(keys.length, ...keys);
      this.#connection.sendNow();
      return reply;
    }, isCluster);
    this.#news = new RedisNews(() => this.#connection.listen(), channel);
  }

  /** Asked again where it does not say so, as at a start on a busy machine; not for ever, since it may never do. */
  async #tellOfEviction(onEvicting: (policy: string) => void, times = 5): Promise<void> {
    const policies = await this.#connection.evictionPolicies();
    for (const policy of new Set(policies)) if (policy !== 'noeviction') onEvicting(policy);
    if (policies.length > 0 || times === 1) return;
    await delay(askAgainMs, undefined, { ref: false });
    await this.#tellOfEviction(onEvicting, times - 1);
  }

  /** Waits until Redis answers for the first time, at most so long; without an answer the store goes on trying. */
  async ready(timeoutMs: number): Promise<boolean> {
    if (this.#redis.status === 'ready') return true;
    return new Promise((resolve) => {
      const done = (up: boolean) => () => {
        clearTimeout(timer);
        this.#redis.off('ready', onReady);
        resolve(up);
      };
      const onReady = done(true);
      const timer = setTimeout(done(false), timeoutMs);
      this.#redis.once('ready', onReady);
    });
  }

  async claimDue(limit: number): Promise<DueClaims> {
    // A random order of shards, so that no shard starves while a replica has few free slots.
    const first = Math.floor(Math.random() * shardCount);
    const due: DueClaims = { claims: [], more: false, lost: false };
    const claimFrom = async (shard: number, atMost: number): Promise<void> => {
      const keys = shardKeys(shard);
      const args = [keys.prefix, atMost, leaseMs, this.clockShiftMs];
      const [lost, ...flat] = await this.#redis.claimDue(keys.due, keys.trouble, ...args);
      if (Number(lost) === 1) due.lost = true;
      if (flat.length === 4 * atMost) due.more = true;
      for (let i = 0; i < flat.length; i += 4) {
        const [clientId, generation, lateness, trouble] = flat.slice(i, i + 4).map(String);
        const claim = { clientId: clientId!, generation: generation!, latenessMs: Number(lateness) };
        const inTrouble = trouble !== '0' && ({ inTrouble: true } as const);
        due.claims.push({ ...claim, ...inTrouble, ...(trouble === '2' && { retry: true }) });
      }
    };
    const shares = Array.from({ length: shardCount }, (_, i) => Math.floor((limit + i) / shardCount));
    const asked = shares.flatMap((share, i) => (share > 0 ? [claimFrom((first + i) % shardCount, share)] : []));
    // A part of a cluster may be away: what the others gave is held for us, and nobody else renews it.
    const failed = (await Promise.allSettled(asked)).filter((result) => result.status === 'rejected');
    if (failed.length > 0 && failed.length === asked.length) throw failed[0]!.reason;
    return due;
  }

  async markWhole(): Promise<void> {
    const shards = Array.from({ length: shardCount }, (_, shard) => shardKeys(shard));
    await Promise.all(
      shards.flatMap(({ epoch, until }) => [this.#redis.set(epoch, this.#clock.now()), this.#redis.unlink(until)]),
    );
  }

  async claimOne(clientId: string, seenGeneration = '0', restMs = minRestMs): Promise<ClaimAnswer> {
    const { due, client, generation } = clientKeys(clientId);
    const args = [clientId, leaseMs, seenGeneration, restMs, this.clockShiftMs];
    return claimAnswer(clientId, await this.#redis.claimOne(due, client, generation, ...args));
  }

  async claimRejected(clientId: string, rejected: string, limitMs: number, take: boolean): Promise<RejectionAnswer> {
    const { due, client, generation } = clientKeys(clientId);
    const args = [clientId, leaseMs, rejected, minRestMs, limitMs, take ? 1 : 0, this.clockShiftMs];
    const reply = await this.#redis.claimRejected(due, client, generation, ...args);
    return String(reply[0]) === 'free' ? { outcome: 'free' } : claimAnswer(clientId, reply);
  }

  async asking(claim: Claim, minIntervalMs: number): Promise<'go' | 'early' | 'fenced'> {
    const { due, client } = clientKeys(claim.clientId);
    const args = [claim.clientId, claim.generation, Math.ceil(minIntervalMs), leaseMs, this.clockShiftMs];
    return String(await this.#redis.asking(due, client, ...args)) as 'go' | 'early' | 'fenced';
  }

  commit(claim: Claim, token: NewToken): Promise<Commit> {
    return this.#commits.add(claim, token);
  }

  async postpone(
    claim: Claim,
    delayMs: number,
    attempts?: Attempts,
    { secretVersion, minIntervalMs }: { secretVersion?: number; minIntervalMs?: number } = {},
  ): Promise<'postponed' | 'fenced' | 'outdated'> {
    const { due, client, trouble, failed } = clientKeys(claim.clientId);
    const failure = attempts?.lastFailure ? JSON.stringify(attempts.lastFailure) : '';
    const attempt = failure && !attempts!.unasked ? JSON.stringify(failedAttempt(attempts!.lastFailure!)) : '';
    const counted = [attempts?.failures ?? '', attempts?.refusals ?? '', failure, secretVersion ?? ''];
    const interval = minIntervalMs === undefined ? '' : Math.ceil(minIntervalMs);
    const args = [claim.clientId, claim.generation, Math.ceil(delayMs), ...counted, this.clockShiftMs, interval];
    args.push(attempt, attemptsKept, failuresKeptMs);
    return String(await this.#redis.postpone(due, client, trouble, failed, ...args)) as
      'postponed' | 'fenced' | 'outdated';
  }

  async takePermits(bucket: string, permits: number, { requests, perMs }: Quota): Promise<number> {
    return Number(await this.#redis.takePermits(permitsKey(bucket), permits, requests, perMs, this.clockShiftMs));
  }

  async read(clientId: string): Promise<ClientState> {
    const { due, client, token } = clientKeys(clientId);
    return stateIn(await this.#redis.readBuffer(client, due, token, clientId, this.clockShiftMs), this.#clock.now());
  }

  generation(clientId: string): Promise<string | undefined> {
    return this.#generations.of(clientId);
  }

  readMany(clientIds: string[]): Promise<ClientState[]> {
    return Promise.all(clientIds.map((id) => this.read(id)));
  }

  async attempts(clientId: string): Promise<Attempt[]> {
    const { client, failed } = clientKeys(clientId);
    const [history, failures] = await Promise.all([
      this.#redis.hmgetBuffer(client, ...historyFields),
      this.#redis.lrange(failed, 0, -1),
    ]);
    return attemptsIn(history, failures);
  }

  async enqueue(entries: QueueEntry[]): Promise<number> {
    let missing = 0;
    const put = async ([shard, ofShard]: [number, QueueEntry[]]): Promise<void> => {
      const { due, known, prefix } = shardKeys(shard);
      for (let i = 0; i < ofShard.length; i += 500) {
        const some = ofShard.slice(i, i + 500);
        const args = [...some.map((e) => e.clientId), ...some.map((e) => e.secretVersion)];
        args.push(...some.map((e) => Math.ceil(e.dueInMs)));
        const absent = await this.#redis.enqueue(due, known, prefix, this.clockShiftMs, ...args);
        missing += Number(absent); // not in one with the waiting: other shards add theirs meanwhile
      }
    };
    // A part of a cluster may be away: the others get theirs all the same.
    const failed = (await Promise.allSettled([...byShard(entries, ({ clientId }) => clientId)].map(put))).find(
      (result) => result.status === 'rejected',
    );
    if (failed) throw failed.reason;
    return missing;
  }

  async change(clientId: string, secretVersion: number, dueInMs = 0): Promise<void> {
    const { due, client, trouble } = clientKeys(clientId);
    await this.#redis.change(due, client, trouble, clientId, secretVersion, channel, dueInMs, this.clockShiftMs);
  }

  async remove(clientId: string, claim?: Claim): Promise<void> {
    const { due, client, trouble, token, failed, known } = clientKeys(clientId);
    const args = [clientId, claim?.generation ?? '', channel];
    await this.#redis.remove(due, client, trouble, token, failed, known, ...args);
  }

  async overview(next: number): Promise<Overview> {
    const [seconds, micros] = await this.#redis.time();
    const now = Number(seconds) * 1000 + Math.floor(Number(micros) / 1000) + this.clockShiftMs;
    return overviewOf(this.#redis, now, next);
  }

  onNews(listener: (news: News) => void): void {
    this.#news.on(listener);
  }

  newsArrives(): boolean {
    return this.#news.arrives();
  }

  /** Whether it can be written to: in a cluster, every shard. */
  async ping(): Promise<Health> {
    const keys = Array.from({ length: shardCount }, (_, shard) => shardKeys(shard).epoch);
    return this.#connection.serves(keys).then(
      () => 'ok',
      (error: Error) => (isFull(error) ? 'out of memory' : 'does not answer'),
    );
  }

  async close(): Promise<void> {
    this.#news.close();
    await this.#connection.close();
  }
}
