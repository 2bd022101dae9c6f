import type { TokenStore } from '#tokens';

export interface ReadinessReport {
  /** `degraded`: tokens that are in this process are served, others cannot be fetched. */
  status: 'ready' | 'degraded' | 'not_ready';
  checks: Record<'database' | 'migrations' | 'token_store' | 'shutdown', string>;
}

const patienceMs = 1_000;

/** Whether this replica should be sent requests, and if not, why. */
export class Readiness {
  #shuttingDown = false;

  constructor(
    private readonly parts: {
      store: TokenStore;
      pingDatabase: () => Promise<unknown>;
      pendingMigrations: () => Promise<string[]>;
    },
  ) {}

  /** From now on it is not ready: whoever spreads the load shall stop before the process does. */
  shutDown(): void {
    this.#shuttingDown = true;
  }

  async report(): Promise<ReadinessReport> {
    const { store, pingDatabase, pendingMigrations } = this.parts;
    const [database, migrations, tokenStore] = await Promise.all([
      check(async () => void (await pingDatabase())),
      check(async () => {
        const pending = await pendingMigrations();
        if (pending.length > 0) throw new Error(`pending: ${pending.join(', ')}`);
      }),
      check(async () => {
        if (!(await store.ping())) throw new Error('does not answer');
      }),
    ]);
    const shutdown = this.#shuttingDown ? 'in progress' : 'ok';
    const broken = [database, migrations, shutdown].some((result) => result !== 'ok');
    const status = broken ? 'not_ready' : tokenStore === 'ok' ? 'ready' : 'degraded';
    return { status, checks: { database, migrations, token_store: tokenStore, shutdown } };
  }
}

/** `ok`, or what is wrong in a few words; the cause may name hosts and users, so it stays here. */
async function check(work: () => Promise<void>): Promise<string> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve('does not answer'), patienceMs);
  });
  const result = work().then(
    () => 'ok',
    (error: Error) => (error.message.startsWith('pending: ') ? error.message : 'does not answer'),
  );
  return Promise.race([result, timeout]).finally(() => clearTimeout(timer));
}
