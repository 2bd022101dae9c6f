import type { TokenStore } from '#tokens';

export interface ReadinessReport {
  /**
   * `degraded`: callers who are known are served what is in this process; others cannot be. To send requests elsewhere
   * would help nobody, since every replica fares alike.
   */
  status: 'ready' | 'degraded' | 'not_ready';
  checks: Record<'database' | 'migrations' | 'token_store' | 'keys' | 'shutdown', string>;
}

/** Less than the second after which probes commonly give up: an answer that comes too late says "not ready". */
const patienceMs = 500;
/** Several may ask in turn, each at its own pace. */
const rememberedAsks = 6;
const overdueGaps = 2;
const watchedForMs = 30_000;
const silent = 'does not answer';
const full = 'out of memory';

/** Whether this replica should be sent requests, and if not, why. */
export class Readiness {
  readonly #running = new Map<string, Promise<string>>();
  #shuttingDown = false;
  /** Before it, nobody is known here who could be served without the database. */
  #wasReady = false;
  #askedAt: number[] = [];
  #tell = (): void => undefined;
  /** Settles once somebody was told that it is shutting down. */
  readonly told = new Promise<void>((resolve) => (this.#tell = resolve));

  constructor(
    private readonly parts: {
      store: TokenStore;
      pingDatabase: () => Promise<unknown>;
      pendingMigrations: () => Promise<string[]>;
      /** What is known of the master keys; asks nobody. */
      keys: () => string;
    },
    private readonly monotonic: () => number = () => performance.now(),
  ) {}

  /** From now on it is not ready: whoever spreads the load shall stop before the process does. */
  shutDown(): void {
    this.#shuttingDown = true;
  }

  get shuttingDown(): boolean {
    return this.#shuttingDown;
  }

  /** Whether somebody asks again and again, who is to be told before the end: has asked, and is not long overdue. */
  get watched(): boolean {
    const times = this.#askedAt;
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    const quietMs = this.monotonic() - (times.at(-1) ?? -Infinity);
    return gaps.length > 0 && quietMs < Math.min(Math.max(overdueGaps * Math.max(...gaps), 1_000), watchedForMs);
  }

  /** That report has gone out. */
  wasTold({ checks }: ReadinessReport): void {
    if (checks.shutdown !== 'ok') this.#tell();
  }

  async report(): Promise<ReadinessReport> {
    this.#askedAt = [...this.#askedAt, this.monotonic()].slice(-rememberedAsks);
    const { store, pingDatabase, pendingMigrations } = this.parts;
    const [database, migrations, tokenStore] = await Promise.all([
      this.#check('database', async () => void (await pingDatabase())),
      this.#check('migrations', async () => {
        const pending = await pendingMigrations();
        if (pending.length > 0) throw new Error(`pending: ${pending.join(', ')}`);
      }),
      this.#check('token_store', async () => {
        const health = await store.ping();
        if (health !== 'ok') throw new Error(health);
      }),
    ]);
    const keys = this.parts.keys();
    const shutdown = this.#shuttingDown ? 'in progress' : 'ok';
    const checks = { database, migrations, token_store: tokenStore, keys, shutdown };
    const lost = [database, migrations].includes(silent);
    const broken = keys !== 'ok' || shutdown !== 'ok' || ![silent, 'ok'].includes(migrations);
    if (!lost && !broken) this.#wasReady = true;
    if (broken || (lost && !this.#wasReady)) return { status: 'not_ready', checks };
    return { status: lost || tokenStore !== 'ok' ? 'degraded' : 'ready', checks };
  }

  /** `ok`, or what is wrong in a few words; the cause may name hosts and users, so it stays here. */
  async #check(name: string, work: () => Promise<void>): Promise<string> {
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<string>((resolve) => {
      timer = setTimeout(() => resolve(silent), patienceMs);
    });
    return Promise.race([this.#running.get(name) ?? this.#run(name, work), timeout]).finally(() => clearTimeout(timer));
  }

  /** One at a time: a database that hangs is not asked by every probe anew. */
  #run(name: string, work: () => Promise<void>): Promise<string> {
    const running = work()
      .then(
        () => 'ok',
        ({ message }: Error) => (message.startsWith('pending: ') || message === full ? message : silent),
      )
      .finally(() => this.#running.delete(name));
    this.#running.set(name, running);
    return running;
  }
}
