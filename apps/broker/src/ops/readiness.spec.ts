import { type Health, MemoryTokenStore, type TokenStore } from '#tokens';
import { Readiness } from './readiness';

function scene() {
  let now = 0;
  const facts = { database: true, pending: [] as string[], keys: 'ok', store: 'ok' as Health };
  const store: TokenStore = new MemoryTokenStore();
  store.ping = async () => facts.store;
  const readiness = new Readiness(
    {
      store,
      pingDatabase: async () => {
        if (!facts.database) throw new Error('connect ECONNREFUSED db.internal');
      },
      pendingMigrations: async () => {
        if (!facts.database) throw new Error('connect ECONNREFUSED db.internal');
        return facts.pending;
      },
      keys: () => facts.keys,
    },
    () => now,
  );
  return { readiness, facts, pass: (ms: number) => (now += ms) };
}

describe('readiness', () => {
  it('a replica that was never ready is not ready without the database; one that was is degraded', async () => {
    const { readiness, facts } = scene();
    facts.database = false;
    expect(await readiness.report()).toMatchObject({ status: 'not_ready', checks: { database: 'does not answer' } });
    facts.database = true;
    expect((await readiness.report()).status).toBe('ready');
    facts.database = false;
    expect((await readiness.report()).status).toBe('degraded');
    facts.store = 'does not answer';
    expect((await readiness.report()).status).toBe('degraded');
  });

  it('a token store without memory left is degraded, and the report says why', async () => {
    const { readiness, facts } = scene();
    facts.store = 'out of memory';
    expect(await readiness.report()).toMatchObject({ status: 'degraded', checks: { token_store: 'out of memory' } });
  });

  it('missing keys, pending migrations and the end are "not ready", whatever was before', async () => {
    const { readiness, facts } = scene();
    expect((await readiness.report()).status).toBe('ready');
    facts.keys = 'missing: k2';
    expect(await readiness.report()).toMatchObject({ status: 'not_ready', checks: { keys: 'missing: k2' } });
    Object.assign(facts, { keys: 'ok', pending: ['x'] });
    expect(await readiness.report()).toMatchObject({ status: 'not_ready', checks: { migrations: 'pending: x' } });
    facts.pending = [];
    readiness.shutDown();
    expect(await readiness.report()).toMatchObject({ status: 'not_ready', checks: { shutdown: 'in progress' } });
  });

  it('knows who is watching: whoever asks again and again, until long overdue', async () => {
    const { readiness, pass } = scene();
    expect(readiness.watched).toBe(false);
    await readiness.report();
    expect(readiness.watched).toBe(false); // once is not again and again
    for (let i = 0; i < 3; i++) {
      pass(9_000);
      await readiness.report();
      pass(1_000);
      await readiness.report();
    }
    pass(9_000);
    expect(readiness.watched).toBe(true);
    pass(10_000);
    expect(readiness.watched).toBe(false);
  });

  it('a database that hangs is answered for in half a second, and asked once, not by every probe anew', async () => {
    let asked = 0;
    const hang = () => {
      asked += 1;
      return new Promise<never>(() => undefined);
    };
    const readiness = new Readiness({
      store: new MemoryTokenStore(),
      pingDatabase: hang,
      pendingMigrations: async () => [],
      keys: () => 'ok',
    });
    const reports = await Promise.all([1, 2, 3].map(() => readiness.report()));
    expect(reports.map(({ checks }) => checks.database)).toEqual(Array(3).fill('does not answer'));
    expect(asked).toBe(1);
  });
});
