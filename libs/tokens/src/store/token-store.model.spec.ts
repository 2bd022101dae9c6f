import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { commands, type Model, Real } from './store-commands.fixture';
import { ClientModel } from './store-model.fixture';
import { type Bench, stores } from './stores.fixture';

describe.each(stores)('whatever happens in whatever order, the store in %s', (_, start) => {
  let bench: Bench;
  beforeAll(async () => {
    bench = await start();
  });
  afterAll(() => bench.close());

  it('does what a plain object for each client does, and holds its invariants', async () => {
    const seed = Number(process.env['FAST_CHECK_SEED'] ?? Number.NaN);
    await fc.assert(
      fc.asyncProperty(fc.commands(commands, { maxCommands: 60, size: 'max' }), async (steps) => {
        const ids = [randomUUID(), randomUUID(), randomUUID()];
        const model: Model = { clients: new Map(ids.map((id) => [id, new ClientModel()])), claims: [] };
        try {
          await fc.asyncModelRun(() => ({ model, real: new Real(bench, ids) }), steps);
          for (const [id, { outcomes }] of model.clients) {
            const found = await bench.store.attempts(id);
            expect(found.map(({ outcome }) => outcome).sort()).toEqual(outcomes.slice(-50).sort());
          }
        } finally {
          await Promise.all(ids.map((id) => bench.store.remove(id)));
        }
      }),
      { numRuns: 80, ...(Number.isInteger(seed) && { seed }) },
    );
  }, 120_000);
});
