import { loadPresets } from '#providers';
import { Definitions, openDatabase, postgresAdapter, sealInputs } from '#registry';
import { RedisTokenStore } from '#tokens';
import { Attestations, KeyRing, Secret, Vault } from '#vault';
import type { Ground } from './rig';

const rowsAtOnce = 1_000;

/**
 * Registers very many clients, ahead of any broker's start: sealed as the broker seals, but written a thousand at a time
 * and without an audit entry each. Through its API it would take half an hour.
 * @param dueInMs when the first token of each is due, counted from the end of all this
 */
export async function registerCrowd(ground: Ground, count: number, dueInMs: () => number): Promise<Crowd> {
  const keyRing = KeyRing.parse(ground.masterKeys);
  const database = openDatabase(postgresAdapter(ground.databaseUrl));
  const store = new RedisTokenStore(ground.redisUrl);
  const from = performance.now();
  try {
    const definitions = new Definitions(database, new Attestations(keyRing), loadPresets());
    await definitions.storePresets();
    const definition = await definitions.choose('capillary');
    const vault = new Vault(keyRing);
    const plain = { base_url: ground.simulator.url };
    const row = async (i: number) => {
      const id = crypto.randomUUID();
      const secret = { key: new Secret(`key-${i}`), secret: new Secret(`secret-${i}`) };
      const sealedInputs = await sealInputs(vault, { clientId: id, secretVersion: 1 }, { definition, plain, secret });
      const { provider, version: providerVersion } = definition;
      return { id, name: `bench-${i}`, provider, providerVersion, inputs: plain, sealedInputs };
    };
    const ids: string[] = [];
    while (ids.length < count) {
      const some = Math.min(rowsAtOnce, count - ids.length);
      const rows = await Promise.all(Array.from({ length: some }, (_, i) => row(ids.length + i)));
      await database.client.createMany({ data: rows });
      ids.push(...rows.map(({ id }) => id));
    }
    await store.ready(5_000);
    // What was read of the clock at the first is over for the last: hence no more than some thousands at a time.
    const queued = performance.now();
    for (let i = 0; i < ids.length; i += rowsAtOnce) {
      const passedMs = performance.now() - queued;
      const entry = (clientId: string) => ({ clientId, secretVersion: 1, dueInMs: Math.max(0, dueInMs() - passedMs) });
      await store.enqueue(ids.slice(i, i + rowsAtOnce).map(entry));
    }
    return { ids, seconds: (performance.now() - from) / 1_000 };
  } finally {
    await store.close();
    await database.$disconnect();
  }
}

export interface Crowd {
  ids: string[];
  /** That registering them took. */
  seconds: number;
}

/** Those that have no token now that could be served. */
export async function countWithoutToken({ redisUrl }: Ground, ids: string[]): Promise<number> {
  const store = new RedisTokenStore(redisUrl);
  try {
    await store.ready(5_000);
    let without = 0;
    for (let i = 0; i < ids.length; i += rowsAtOnce) {
      const states = await store.readMany(ids.slice(i, i + rowsAtOnce));
      without += states.filter(({ token }) => !token || token.runwayMs <= 0).length;
    }
    return without;
  } finally {
    await store.close();
  }
}
