import { readFileSync } from 'node:fs';
import { ask } from '../../apps/broker/test/fleet';
import type { Answer } from '../record';
import { expect, type Row, seconds } from '../row';
import type { Scene } from '../scene';
import { renewedAfter, servedBy } from './steps';

const slowest = (answers: Answer[]): number =>
  Math.max(...answers.map(({ sentAt, receivedAt }) => receivedAt - sentAt));

/** Resident memory of a broker. */
function residentMb(scene: Scene, broker: number): number {
  const status = readFileSync(`/proc/${scene.brokers[broker]!.running.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1_024;
}

/** How long a broker takes to say that it is alive. */
async function pulseMs(scene: Scene, broker: number): Promise<number> {
  const asked = performance.now();
  await ask(`${scene.brokers[broker]!.running.url}/health/live`, 'GET', undefined, {});
  return performance.now() - asked;
}

const refusedReads = (scene: Scene, client: string, since: number): Answer[] =>
  scene.record.answers.filter((answer) => answer.client === client && answer.status !== 200 && answer.sentAt > since);

/** Revokes a key that is in use at a broker; answers with how long it was good there, ms. */
async function revokeKey(scene: Scene, client: string, broker: number): Promise<number> {
  await scene.mustAdmin('POST', '/v1/services', { name: 'leaves' });
  await scene.mustAdmin('POST', '/v1/grants', { service: 'leaves', client });
  const { id, key } = (await scene.mustAdmin('POST', '/v1/services/leaves/keys', {})).body;
  const path = `${scene.brokers[broker]!.running.url}/v1/clients/${client}/token`;
  const status = async (): Promise<number> =>
    (await ask(path, 'GET', undefined, { authorization: `Bearer ${key}` })).status;
  await scene.until('the key opens', status, (seen) => seen === 200);
  await scene.mustAdmin('DELETE', `/v1/services/leaves/keys/${id}`);
  const revokedAt = Date.now();
  await scene.until('the key opens no more', status, (seen) => seen === 401);
  return Date.now() - revokedAt;
}

export const awayRows: Row[] = [
  {
    number: 11,
    inject: 'Redis SIGSTOP 10 s',
    expected: 'cached clients served; others 503 within 1 s, no pile-up',
    run: async (scene) => {
      await scene.addBrokers(2);
      await scene.define('counted', { quota: { requests: 10, per_s: 2 } }); // so that no replica asks for itself
      await scene.addClient('hot', { lifeSeconds: 60 });
      await scene.addClient('cold', { lifeSeconds: 60, provider: 'counted' });
      await servedBy(scene, 'hot', [0, 1]);
      scene.reader.start(['hot'], [0, 1], 20);
      await scene.reader.read('hot', 1);
      await scene.pass(500);
      const before = residentMb(scene, 1);
      const gone = await scene.inject.freezeRedis();
      const answers: Answer[] = [];
      const pulses: number[] = [];
      while (Date.now() - gone.from < 10_000) {
        const wave = Array.from({ length: 200 }, () => scene.reader.read('cold', 1));
        pulses.push(await pulseMs(scene, 1));
        answers.push(...(await Promise.all(wave)));
        await scene.pass(200);
      }
      const grownMb = residentMb(scene, 1) - before;
      await scene.inject.thawRedis(gone);
      await servedBy(scene, 'cold', [1]);
      const backMs = Date.now() - gone.to!;
      const wrong = answers.filter(({ status, reason }) => status !== 503 || reason !== 'store_unavailable');
      const refused = refusedReads(scene, 'hot', gone.from).length;
      const soon = answers.filter(({ sentAt, receivedAt }) => receivedAt - sentAt <= 1_000).length;
      expect(wrong.length === 0, `answered ${wrong[0]?.status} ${wrong[0]?.reason}`);
      expect(soon >= 0.9 * answers.length, `${answers.length - soon} of ${answers.length} took more than 1 s`);
      expect(slowest(answers) <= 1_500, `an answer took ${seconds(slowest(answers))}`);
      expect(Math.max(...pulses) <= 1_000, `its pulse took ${seconds(Math.max(...pulses))}`);
      expect(refused === 0, `${refused} reads of a cached token were refused`);
      expect(grownMb <= 64, `it grew by ${grownMb.toFixed(0)} MB`);
      return `${answers.length} reads got 503 within ${seconds(slowest(answers))}, alive within ${Math.round(Math.max(...pulses))} ms, ${grownMb.toFixed(0)} MB more; cached token served; back after ${seconds(backMs)}`;
    },
  },
  {
    number: 12,
    inject: 'Redis down longer than two lives',
    expected:
      'hot tokens until serveUntil, then each replica asks for itself, once a life; not where limits are shared: 503',
    run: async (scene) => {
      const [lifeSeconds, servedMs, awayMs] = [8, 7_200, 17_000];
      await scene.addBrokers(2);
      await scene.define('counted', { quota: { requests: 10, per_s: 2 } });
      await scene.define('single', { single_live: true });
      await scene.define('spaced', { min_interval_s: 1 });
      const held = ['counted', 'single', 'spaced'];
      for (const provider of held) await scene.addClient(provider, { provider, lifeSeconds: 300 });
      await scene.addClient('hot', { lifeSeconds });
      await servedBy(scene, 'hot', [0, 1]);
      scene.reader.start(['hot'], [0, 1], 20);
      // Right after a renewal, so that the token outlives the time for which nobody asks a provider alone.
      const [renewedAt] = await renewedAfter(scene, ['hot'], Date.now());
      await scene.pass(300);
      const gone = await scene.inject.killRedis();
      await scene.pass(6_000); // from now on they would ask for themselves
      const refusals: Answer[] = [];
      // Broker 1 has never had these; broker 0 registered them.
      while (Date.now() - gone.from < awayMs) {
        refusals.push(...(await Promise.all(held.map((client) => scene.reader.read(client, 1)))));
        await scene.pass(250);
      }
      await scene.inject.restartRedis(gone);
      const alone = (await scene.calls('hot')).filter(({ at }) => at > gone.from && at < gone.to!);
      const askedAnyway = (await Promise.all(held.map((name) => scene.calls(name)))).flat();
      await renewedAfter(scene, ['hot', ...held], gone.to!);
      for (const name of ['hot', ...held]) await servedBy(scene, name, [0, 1]);
      const healedMs = Date.now() - gone.to!;
      const refused = refusedReads(scene, 'hot', gone.from).length;
      const mintedAt = alone.map(({ at }) => at - renewedAt!);
      const atMost = scene.brokers.length * Math.floor((awayMs + 1_000) / servedMs);
      expect(refused === 0, `${refused} reads of a hot token were refused`);
      expect(alone.length >= 2 && alone.length <= atMost, `${alone.length} calls, where ${atMost} are allowed`);
      // The end of a life is told in whole seconds: it may be shorter by one.
      expect(Math.min(...mintedAt) >= servedMs - 1_100, `asked ${mintedAt.join(', ')} ms after the last renewal`);
      const wrong = refusals.find(({ status, reason }) => status !== 503 || reason !== 'store_unavailable');
      expect(wrong === undefined, `${wrong?.client} was answered ${wrong?.status} ${wrong?.reason}`);
      const asked = askedAnyway.filter(({ at }) => at > gone.from && at < gone.to!).length;
      expect(asked === 0, `the provider was asked ${asked} times against shared limits`);
      return `${alone.length} calls of 2 replicas in ${seconds(awayMs)}, from ${seconds(Math.min(...mintedAt))} after the last renewal on, no read of it refused; ${refusals.length} reads of the others got 503; healed after ${seconds(healedMs)}`;
    },
  },
  {
    number: 15,
    inject: 'Redis out of memory, longer than a life',
    expected: 'condition raised; nothing silently evicted',
    run: async (scene) => {
      await scene.addBrokers(2);
      const names = ['a', 'b', 'c', 'd'];
      for (const name of names) await scene.addClient(name, { lifeSeconds: 8 });
      for (const name of names) await servedBy(scene, name, [0, 1]);
      scene.reader.start(names, [0, 1], 50);
      const { redis } = scene.queue;
      const lastingKeys = async (): Promise<string[]> =>
        (await redis.keys('tb1:*')).filter((key) => !/:t:/.test(key)).toSorted();
      const before = await lastingKeys();
      const full = scene.inject.begin('Redis out of memory', { extraCalls: 1, delaysMs: 15_500, hindersQueue: true });
      await redis.config('SET', 'maxmemory', 1);
      const report = await scene.until(
        'readiness says so',
        () => ask(`${scene.brokers[0]!.running.url}/health/ready`, 'GET', undefined, {}),
        ({ body }) => body.checks.token_store === 'out of memory',
      );
      const firstRefused = await scene.until(
        'a read is refused',
        () => scene.record.answers.find(({ status, sentAt }) => status !== 200 && sentAt > full.from),
        (answer) => answer !== undefined,
      );
      const problem = await scene.reader.read('a', 0);
      const said = scene.brokers.filter(({ running }) => running.output().includes('Redis is out of memory')).length;
      const { body: summary } = await scene.mustAdmin('GET', '/v1/summary');
      const metrics = await scene.mustAdmin('GET', '/metrics');
      const evicted = /evicted_keys:(\d+)/.exec(await redis.info('stats'))![1];
      const present = new Set(await lastingKeys());
      const missing = before.filter((key) => !present.has(key));
      const calls = (await Promise.all(names.map((name) => scene.calls(name))))
        .flat()
        .filter(({ at }) => at > full.from + 1_000);
      await redis.config('SET', 'maxmemory', 0);
      scene.inject.end(full);
      await renewedAfter(scene, names, full.to!);
      for (const name of names) await servedBy(scene, name, [0, 1]);
      const healedMs = Date.now() - full.to!;
      // What Redis is told to do with full memory, who starts is told, too.
      await redis.config('SET', 'maxmemory-policy', 'allkeys-lru');
      const warned = await scene.addBroker();
      await scene.until('it warns of eviction', () => warned.running.output().includes('allkeys-lru'), Boolean);
      expect(report.body.status === 'degraded', `ready: ${report.body.status}`);
      expect(problem.status === 503 && problem.reason === 'store_unavailable', `${problem.status} ${problem.reason}`);
      expect(said === 2, `${said} of 2 logs say so`);
      expect(summary.queue.due >= 1, 'the summary shows nothing overdue');
      expect(/tokenbroker_queue_due [1-9]/.test(metrics.body), 'the metrics show nothing overdue');
      expect(evicted === '0' && missing.length === 0, `${evicted} keys evicted, missing: ${missing.join(', ')}`);
      expect(calls.length === 0, `${calls.length} calls whose tokens could not have been stored`);
      return `degraded, logged, ${summary.queue.due} overdue in summary and metrics; served for ${seconds(firstRefused!.sentAt - full.from)}, then 503; no key gone, no call made; healed after ${seconds(healedMs)}`;
    },
  },
  {
    number: 16,
    inject: 'pub/sub connection silently cut, then refused',
    expected: 'cache bound falls to 1 s; revocation still <= 10 s',
    run: async (scene) => {
      await scene.addBroker();
      const { index: deaf } = await scene.addBroker({ env: { ROLES: 'serve' }, wires: ['redis'] });
      const names = ['deleted', 'disabled', 'renewed', 'again'];
      for (const name of names) await scene.addClient(name, { lifeSeconds: 60 });
      for (const name of names) await servedBy(scene, name, [deaf]);
      const renew = async (name: string): Promise<number> => {
        scene.inject.once(`${name} renewed by hand`, { clients: [name], extraCalls: 1 });
        await scene.mustAdmin('POST', `/v1/clients/${name}/renewals`);
        return Date.now();
      };
      const seenAfter = async (name: string, old: number | undefined, since: number): Promise<number> => {
        const seen = (answer: Answer): boolean => answer.token !== undefined && answer.token !== old;
        return (
          (await scene.until(`the new token of ${name}`, () => scene.reader.read(name, deaf), seen)).sentAt - since
        );
      };
      const lastServedMs = (name: string, since: number): number => {
        const served = scene.record.answers.filter(({ client, status }) => client === name && status === 200);
        return Math.max(...served.map(({ sentAt }) => sentAt)) - since;
      };
      const before = await Promise.all(names.map((name) => scene.reader.read(name, deaf)));
      scene.reader.start(['deleted', 'disabled'], [deaf], 20);
      const hushed = scene.inject.cutRedis(scene.brokers[deaf]!, 'hush');
      const revokedSeen = revokeKey(scene, 'renewed', deaf);
      await scene.inject.remove('deleted');
      await scene.inject.disable('disabled');
      const revokedAt = Date.now();
      const renewedSeenMs = await seenAfter('renewed', before[2]!.token, await renew('renewed'));
      const refused = (name: string) => (): boolean => {
        const { status } = scene.record.answers.findLast(({ client }) => client === name)!;
        return status === 404 || status === 409;
      };
      await scene.until('the deleted one is refused', refused('deleted'), Boolean);
      await scene.until('the disabled one is refused', refused('disabled'), Boolean);
      scene.inject.mendRedis(scene.brokers[deaf]!, hushed);
      // From here on nobody may listen, and nothing else is wrong.
      await scene.queue.redis.call('ACL', 'SETUSER', 'default', '-subscribe');
      await scene.queue.redis.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
      scene.inject.once('nobody may listen');
      await scene.reader.read('again', deaf);
      const againSeenMs = await seenAfter('again', before[3]!.token, await renew('again'));
      const revokedMs = Math.max(
        await revokedSeen,
        lastServedMs('deleted', revokedAt),
        lastServedMs('disabled', revokedAt),
      );
      expect(revokedMs <= 10_000, `what was revoked was served for ${seconds(revokedMs)}`);
      expect(renewedSeenMs <= 12_500, `a new token was seen after ${seconds(renewedSeenMs)}`);
      expect(againSeenMs <= 1_500, `without news a new token was seen after ${seconds(againSeenMs)}`);
      return `revoked: refused after ${seconds(Math.max(0, revokedMs))}; new token seen after ${seconds(renewedSeenMs)} in silence, ${seconds(againSeenMs)} once it is known that there is no news`;
    },
  },
];
