import { setTimeout as delay } from 'node:timers/promises';
import { BrokerApi } from './broker-api';
import { bulkEnv, untilIssued } from './bulk-provider';
import type { Cores } from './cores';
import { grantAll, registerCrowd } from './crowd';
import type { Row } from './figures';
import { applyLoad } from './load';
import type { Program } from './program';
import { startGround } from './rig';
import { renewedSeries, scrape } from './scale';
import { total } from './scrape';

const counts = [1, 2, 4, 8];
const clients = 100;
const lifeSeconds = 6;
/** Calls whose tokens are not stored yet weigh less the longer it takes. */
const lives = 4;
const readsPerSecond = 200;
const settleMs = 3_000;

/** Whether a provider is asked once for a whole fleet, while all of it reads all the time. */
export async function measureReplicas({
  cores,
  say,
}: {
  cores: Cores | undefined;
  say: (line: string) => void;
}): Promise<Row[]> {
  const ground = await startGround({ cores, simulatorEnv: bulkEnv(lifeSeconds) });
  try {
    await registerCrowd(ground, clients, () => 4_000 + Math.random() * lifeSeconds * 650);
    const brokers: Program[] = [await ground.startBroker()];
    await untilIssued(ground, clients, 60_000);
    const api = new BrokerApi(brokers[0]!.url, ground.adminKey, ground.simulator.url);
    const headers = { authorization: `Bearer ${await api.grantedKey('bench', 'bench-0')}` };
    await grantAll(ground, 'bench');
    const paths = Array.from({ length: clients }, (_, i) => `/v1/clients/bench-${i}/token`);
    const read = (url: string, seconds: number) =>
      applyLoad({ url, paths, headers, connections: 8, seconds, ratePerSecond: readsPerSecond });
    const rows: Row[] = [];
    for (const count of counts) {
      while (brokers.length < count) brokers.push(await ground.startBroker());
      await delay(settleMs);
      const before = await scrape(ground, brokers);
      await Promise.all(brokers.map(({ url }) => read(url, lives * lifeSeconds)));
      const after = await scrape(ground, brokers);
      const tokens = total(after.text, renewedSeries) - total(before.text, renewedSeries);
      const calls = Number(((after.issued - before.issued) / tokens).toFixed(2));
      const replicas = count === 1 ? '1 replica' : `${count} replicas`;
      rows.push({ measure: `provider calls per token, ${replicas}`, figure: calls, unit: '', bar: { atMost: 1 } });
      say(`  ${replicas}: ${calls} calls per token, ${tokens} tokens`);
    }
    rows[0]!.note = `${clients} clients of ${lifeSeconds} s, ${readsPerSecond} reads/s of each replica`;
    return rows;
  } finally {
    await ground.stop();
  }
}
