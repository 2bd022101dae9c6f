import { loadPresets } from '#providers';
import { Definitions, openDatabase, postgresAdapter, sealInputs } from '#registry';
import { RedisTokenStore } from '#tokens';
import { Attestations, KeyRing, Secret, Vault } from '#vault';
import type { Ground } from './rig';

/** As much of a ground as a crowd needs. */
export type CrowdGround = Pick<Ground, 'databaseUrl' | 'redisUrl' | 'masterKeys'> & { simulator: { url: string } };

const rowsAtOnce = 1_000;

/**
 * Registers very many clients, ahead of any broker's start: sealed as the broker seals, but written a thousand at a time
 * and without an audit entry each. Through its API it would take half an hour.
 * @param dueInMs when the first token of each is due, counted from the end of all this
 */
export async function registerCrowd(ground: CrowdGround, count: number, dueInMs: () => number): Promise<Crowd> {
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
    const ids = Array.from({ length: count }, () => crypto.randomUUID() as string);
    const sealed = (clientId: string, i: number): Promise<string> => {
      const secret = { key: new Secret(`key-${i}`), secret: new Secret(`secret-${i}`) };
      return sealInputs(vault, { clientId, secretVersion: 1 }, { definition, plain, secret });
    };
    for (let i = 0; i < count; i += rowsAtOnce) {
      const some = ids.slice(i, i + rowsAtOnce);
      const names = some.map((_, j) => `bench-${i + j}`);
      const inputs = await Promise.all(some.map((id, j) => sealed(id, i + j)));
      await database.$executeRaw`
        INSERT INTO clients (id, name, provider, provider_version, inputs, sealed_inputs)
        SELECT id, name, ${definition.provider}, ${definition.version}, ${JSON.stringify(plain)}::jsonb, sealed
        FROM unnest(${some}::uuid[], ${names}::text[], ${inputs}::text[]) AS n(id, name, sealed)`;
    }
    await store.ready(5_000);
    // By the time that the last are told, the first have waited for some seconds.
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

/** Lets a service fetch the tokens of all clients there are. */
export async function grantAll({ databaseUrl }: Pick<Ground, 'databaseUrl'>, service: string): Promise<void> {
  const database = openDatabase(postgresAdapter(databaseUrl));
  try {
    await database.$executeRaw`
      INSERT INTO grants (id, service_id, client_id)
      SELECT gen_random_uuid(), s.id, c.id FROM services s CROSS JOIN clients c WHERE s.name = ${service}
      ON CONFLICT DO NOTHING`;
  } finally {
    await database.$disconnect();
  }
}
