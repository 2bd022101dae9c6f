import { tokensServed } from '../checks/answers';
import { expect, type Row, seconds } from '../row';
import type { Scene } from '../scene';
import { callAfter, underWay } from './steps';

const leaseMs = 15_500;

/** A broker that answers admins and services, and leaves the renewing to others. */
const servesOnly = { env: { ROLES: 'serve' } };

/** Broker 0 is stopped in the middle of a renewal, another one takes over, and the first one goes on. */
async function late(scene: Scene, name: string, stop: () => Promise<() => Promise<void>>): Promise<string> {
  const printed = scene.brokers[0]!.running.output().length;
  const goOn = await stop();
  const { index } = await scene.addBroker();
  const [first] = await scene.until(
    'the provider has answered the first one',
    () => scene.calls(name),
    ([call]) => call!.ended_at !== null,
  );
  // The token of the late worker lives longer than the one after it: nothing but its claim speaks against it.
  const client = scene.client(name);
  client.lifeSeconds /= 2;
  await scene.fleet.control('PUT', `/clients/${client.key}`, { ttl_seconds: client.lifeSeconds });
  const second = await callAfter(scene, name, first!.at);
  await scene.until(
    'the other broker serves',
    () => scene.reader.read(name, index),
    ({ status }) => status === 200,
  );
  await goOn();
  const said = (): string | undefined =>
    /token discarded|renewal failed|renewal went wrong/.exec(scene.brokers[0]!.running.output().slice(printed))?.[0];
  const gaveUp = await scene.until('the late worker gives up', said, (words) => words !== undefined);
  await scene.until(
    'the late worker serves',
    () => scene.reader.read(name, 0),
    ({ status }) => status === 200,
  );
  await scene.pass(500); // for what was on its way
  const stored = await scene.addBroker(servesOnly); // knows nothing but what is stored
  const reads = await Promise.all([0, index, stored.index].map((broker) => scene.reader.read(name, broker)));
  const statuses = reads.map(({ status }) => status).join();
  expect(new Set(reads.map(({ token }) => token)).size === 1, `${statuses}, and not the same token everywhere`);
  expect(tokensServed(scene.record, name).length === 1, 'the late answer was served, too');
  return `taken over after ${seconds(second - first!.at)}, the late worker: ${gaveUp}`;
}

export const processRows: Row[] = [
  {
    number: 1,
    inject: 'kill -9 a worker after its claim',
    expected: 'renewed in <= 15.5 s; one provider call in all',
    run: async (scene) => {
      const { wire, baseUrl } = await scene.providerWire();
      const dies = await scene.addBroker();
      wire.hold(); // claimed, and the provider has not heard of it
      await scene.addClient('eu', { verify: false, baseUrl });
      await scene.until(
        'it asks',
        () => wire.swallowed,
        (count) => count > 0,
      );
      await scene.addBroker();
      await scene.inject.kill(dies);
      const killedAt = Date.now();
      wire.mend();
      const tookMs = (await callAfter(scene, 'eu', 0)) - killedAt;
      await scene.until(
        'served',
        () => scene.reader.read('eu', 1),
        ({ status }) => status === 200,
      );
      const { length } = await scene.calls('eu');
      expect(tookMs <= leaseMs, `renewed after ${seconds(tookMs)}`);
      expect(length === 1, `${length} calls`);
      return `renewed after ${seconds(tookMs)}; 1 call`;
    },
  },
  {
    number: 2,
    inject: 'kill -9 after the provider answered, before commit',
    expected: '<= 1 extra call',
    run: async (scene) => {
      const dies = await scene.addBroker({ wires: ['redis'] });
      await underWay(scene, 'eu', { latencyMs: 1_000, lifeSeconds: 60 });
      const cut = scene.inject.cutRedis(dies, 'hold');
      cut.extraCalls = 0; // the kill alone may cost one
      await scene.until(
        'the provider answers',
        () => scene.calls('eu'),
        ([call]) => call!.outcome === 'issued',
      );
      await scene.inject.kill(dies);
      const killedAt = Date.now();
      scene.inject.mendRedis(dies, cut);
      await scene.addBroker();
      const tookMs = (await callAfter(scene, 'eu', killedAt)) - killedAt;
      await scene.until(
        'served',
        () => scene.reader.read('eu', 1),
        ({ status }) => status === 200,
      );
      const { length } = await scene.calls('eu');
      expect(tookMs <= leaseMs, `renewed after ${seconds(tookMs)}`);
      expect(length <= 2, `${length} calls`);
      return `renewed after ${seconds(tookMs)}; ${length - 1} extra call`;
    },
  },
  {
    number: 3,
    inject: 'commit on its way, then SIGSTOP, each until another has renewed; then resume',
    expected: 'late commit fenced',
    run: async (scene) => {
      const slow = await scene.addBroker({ wires: ['redis'] });
      await underWay(scene, 'us', { latencyMs: 1_000, lifeSeconds: 60 });
      const delayed = await late(scene, 'us', async () => {
        const cut = scene.inject.cutRedis(slow, 'delay');
        return async () => scene.inject.mendRedis(slow, cut);
      });
      await scene.inject.terminate(scene.brokers[1]!); // so that the slow one claims again
      await underWay(scene, 'eu', { latencyMs: 1_000, lifeSeconds: 60 });
      const stopped = await late(scene, 'eu', async () => {
        const frozen = await scene.inject.freeze(slow);
        return () => scene.inject.thaw(slow, frozen);
      });
      return `commit on its way: ${delayed}; SIGSTOP: ${stopped}`;
    },
  },
  {
    number: 4,
    inject: 'event loop blocked 20 s',
    expected: 'late commit fenced',
    run: async (scene) => {
      const slow = await scene.addBroker({ controlled: true });
      await underWay(scene, 'eu', { latencyMs: 1_000, lifeSeconds: 60 });
      return late(scene, 'eu', async () => {
        const blocked = await scene.inject.block(slow, 20_000);
        return () => scene.pass(Math.max(0, blocked.to! - Date.now()));
      });
    },
  },
  {
    number: 5,
    inject: 'SIGTERM in mid-renewal',
    expected: 'drained <= 10 s; unstarted claims given back',
    run: async (scene) => {
      await scene.addBroker(servesOnly);
      const leaves = await scene.addBroker({ wires: ['postgres'] });
      await underWay(scene, 'slow', { latencyMs: 7_000, lifeSeconds: 60 });
      leaves.postgres!.hold(); // what it claims from now on it cannot begin, since it does not know the inputs
      await scene.addClient('waits', { verify: false, lifeSeconds: 60 });
      await scene.until(
        'it wants to load the client that it claimed',
        () => leaves.postgres!.swallowed,
        (count) => count > 0,
      );
      await scene.addBroker();
      const toldAt = Date.now();
      const code = await scene.inject.terminate(leaves);
      const drainedMs = Date.now() - toldAt;
      const givenBackMs = (await callAfter(scene, 'waits', 0)) - toldAt;
      await scene.until(
        'served',
        () => scene.reader.read('slow', 0),
        ({ status }) => status === 200,
      );
      const calls = (await scene.calls('slow')).length;
      expect(code === 0 && drainedMs <= 10_000, `ended with ${code} after ${seconds(drainedMs)}`);
      expect(calls === 1, `${calls} calls for what was under way`);
      expect(givenBackMs <= 2_000, `what it had not begun was renewed ${seconds(givenBackMs)} after the signal`);
      return `drained in ${seconds(drainedMs)}; the unstarted claim was taken up after ${seconds(givenBackMs)}`;
    },
  },
  {
    number: 6,
    inject: 'replicas 1 -> 4 -> 1',
    expected: 'call count unchanged',
    run: async (scene) => {
      await scene.addBroker();
      const names = Array.from({ length: 8 }, (_, index) => `c${index}`);
      for (const name of names) await scene.addClient(name);
      scene.reader.start(names, [0], 100);
      const callsInPhase = async (): Promise<number> => {
        const count = async (): Promise<number> =>
          (await Promise.all(names.map((name) => scene.calls(name)))).flat().length;
        const before = await count();
        await scene.pass(12_000);
        return (await count()) - before;
      };
      const phases = [await callsInPhase()];
      await scene.addBrokers(3);
      scene.reader.start(names, [1, 2, 3], 100);
      phases.push(await callsInPhase());
      for (const broker of scene.brokers.slice(1)) await scene.inject.terminate(broker);
      phases.push(await callsInPhase());
      // 12 s hold 3 renewals of a life of 6 s, two or four where one falls on an end; no early call is what I2 asks.
      const fit = phases.every((calls) => calls >= 2 * names.length && calls <= 4 * names.length);
      expect(fit, `calls in 12 s of each phase: ${phases.join(', ')}`);
      return `calls in 12 s: ${phases.join(', ')}; none was early`;
    },
  },
  {
    number: 7,
    inject: 'all replicas down until every renewal is due',
    expected: 'catch-up under quota; nothing expired is served',
    run: async (scene) => {
      await scene.addBrokers(2);
      await scene.define('counted', { quota: { requests: 5, per_s: 4 } });
      const names = Array.from({ length: 8 }, (_, index) => `c${index}`);
      for (const name of names) await scene.addClient(name, { provider: 'counted', lifeSeconds: 20, verify: false });
      const hasCalls = async (since: number): Promise<boolean> =>
        (await Promise.all(names.map((name) => scene.calls(name)))).every((calls) =>
          calls.some(({ at, outcome }) => at > since && outcome === 'issued'),
        );
      await scene.until(
        'all have a token',
        () => hasCalls(0),
        (all) => all,
      );
      const gone = scene.inject.begin('no broker at all');
      for (const broker of scene.brokers) await scene.inject.kill(broker);
      await scene.pass(13_000);
      await scene.addBrokers(2);
      scene.inject.end(gone);
      const backAt = Date.now();
      scene.reader.start(names, [2, 3], 50);
      await scene.until(
        'all are renewed',
        () => hasCalls(backAt),
        (all) => all,
        60_000,
      );
      return `all 8 renewed in ${seconds(Date.now() - backAt)} at 5 in 4 s`;
    },
  },
  {
    number: 8,
    inject: 'all replicas down past expiry',
    expected: '503, then recovery by demand first',
    run: async (scene) => {
      await scene.addBrokers(2);
      for (const name of ['read', 'unread']) await scene.addClient(name);
      scene.reader.start(['read'], [0, 1], 50);
      await scene.pass(1_000);
      const gone = scene.inject.begin('no broker that renews', { extraCalls: 1 });
      for (const broker of scene.brokers) await scene.inject.kill(broker);
      await scene.pass(7_000);
      const backAt = Date.now();
      await scene.addBroker();
      const asked = await scene.reader.read('read', 2);
      const recovered = await scene.until(
        'the one that is asked for recovers',
        () => scene.reader.read('read', 2),
        ({ status }) => status === 200,
      );
      scene.inject.end(gone);
      await callAfter(scene, 'unread', backAt);
      const tookMs = recovered.receivedAt - asked.sentAt;
      return `first answer ${asked.status}, token by demand after ${seconds(tookMs)}, the others once a worker was back`;
    },
  },
];
