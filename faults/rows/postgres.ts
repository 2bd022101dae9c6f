import { Client } from 'pg';
import { ask } from '../../apps/broker/test/fleet';
import { startBroker } from '../../test/harness/broker';
import { runSql } from '../../test/harness/database';
import type { Answer } from '../record';
import type { SceneBroker } from '../rig';
import { expect, type Row, seconds } from '../row';
import type { Scene } from '../scene';
import { refusedReads } from './renewals';
import { callAfter } from './steps';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `c${index}`);

async function readiness({ running }: Pick<SceneBroker, 'running'>): Promise<{ http: number; status: string }> {
  const { status: http, body } = await ask(`${running.url}/health/ready`, 'GET', undefined, {});
  return { http, status: body.status };
}

const isReady = (scene: Scene, broker: Pick<SceneBroker, 'running'>) =>
  scene.until(
    'ready',
    () => readiness(broker).catch(() => ({ http: 0, status: 'between waiting and serving' })),
    ({ http, status }) => http === 200 && status === 'ready',
  );

export const postgresRows: Row[] = [
  {
    number: 20,
    inject: 'PostgreSQL stopped for nine lives of a token, and a replica ended meanwhile',
    expected: 'serving and renewing go on; admin calls 503',
    run: async (scene) => {
      const all = names(6);
      const first = await scene.addBroker({ wires: ['postgres'] });
      for (const name of all) await scene.addClient(name, { lifeSeconds: 7 });
      // It reads every client when it starts, and has renewed none of them yet.
      const second = await scene.addBroker({ wires: ['postgres'] });
      for (const broker of [first, second]) await isReady(scene, broker);
      scene.reader.start(all, [0, 1], 100);
      await scene.pass(1_500);
      const cut = scene.inject.cutPostgres();
      // It explains nothing: renewals are to come as if it were there.
      cut.clients = [];
      await scene.pass(3_000);
      expect((await scene.inject.terminate(first)) === 0, 'the first replica did not end in order');
      const refusals = new Set<string>();
      const states = new Set<string>();
      for (const until = Date.now() + 60_000; Date.now() < until; await scene.pass(1_000)) {
        const { status, body } = await scene.admin('GET', '/v1/clients');
        refusals.add(`${status} ${body.code}`);
        const { http, status: state } = await readiness(second);
        states.add(`${http} ${state}`);
      }
      const calls = (await Promise.all(all.map((name) => scene.calls(name)))).flat();
      const during = calls.filter(({ at }) => at > cut.from).length;
      const backAt = Date.now();
      scene.inject.mendPostgres(cut);
      cut.delaysMs = 0;
      await isReady(scene, second);
      const healedMs = Date.now() - backAt;
      await scene.until(
        'admins are served',
        () => scene.admin('GET', '/v1/clients'),
        ({ status }) => status === 200,
      );
      expect([...refusals].join() === '503 database_unavailable', `admins were answered ${[...refusals].join()}`);
      expect([...states].join() === '200 degraded', `readiness was ${[...states].join()}`);
      expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads were refused`);
      expect(during >= 6 * 11, `${during} renewals in 64 s`);
      return `${scene.record.answers.length} reads, none refused; ${during} renewals in time, of clients new to that replica too; admins 503 database_unavailable, readiness degraded; ready ${seconds(healedMs)} after`;
    },
  },
  {
    number: 21,
    inject: 'started with PostgreSQL down',
    expected: 'not ready; never half-serves; heals alone',
    run: async (scene) => {
      await scene.addBroker();
      await scene.addClient('eu', { lifeSeconds: 30 });
      const wire = await scene.wire(scene.fleet.database.url);
      wire.cut();
      const env = { ...scene.fleet.env, DATABASE_URL: wire.url };
      const running = await startBroker({ env, until: 'waiting for the database' });
      scene.fleet.brokers.push(running); // which ends it
      scene.brokers[1] = { index: 1, running, frozen: false };
      scene.record.brokers[1] = { pid: running.pid, startedAt: Date.now(), output: '' };
      const { from } = scene.inject.once('started without PostgreSQL');
      const authorization = `Bearer ${scene.fleet.env['BOOTSTRAP_ADMIN_KEY']}`;
      const get = (path: string) => ask(`${running.url}${path}`, 'GET', undefined, { authorization });
      const routes = ['/v1/clients', '/v1/summary', '/v1/clients/eu', '/v1/providers', '/metrics', '/nowhere'];
      for (const until = Date.now() + 2_000; Date.now() < until; await scene.pass(250)) {
        const [ready, live, token] = [
          await readiness({ running }),
          await get('/health/live'),
          await scene.reader.read('eu', 1),
        ];
        expect(ready.http === 503 && ready.status === 'not_ready', `readiness was ${JSON.stringify(ready)}`);
        expect(live.status === 200, `liveness was ${live.status}`);
        expect(token.status === 503 && token.code === 'database_unavailable', `a read: ${token.status} ${token.code}`);
        for (const route of routes) {
          const { status, body } = await get(route);
          expect(status === 503 && body.code === 'database_unavailable', `${route}: ${status} ${body.code}`);
        }
      }
      wire.mend();
      const mendedAt = Date.now();
      // At the same address: nobody has to be told of another one.
      await isReady(scene, { running });
      const healedMs = Date.now() - mendedAt;
      const read = await scene.reader.read('eu', 1);
      expect(read.status === 200, `read when it was ready: ${read.status} ${read.code}`);
      expect((await get('/v1/clients')).status === 200, 'admins are not served');
      return `for ${seconds(mendedAt - from)} live, not ready, every route 503 database_unavailable; ready ${seconds(healedMs)} after, on the same port`;
    },
  },
  {
    number: 22,
    inject: "PostgreSQL's pool exhausted by queries that wait for a lock",
    expected: 'token latency unaffected',
    run: async (scene) => {
      const all = names(4);
      const broker = await scene.addBroker();
      for (const name of all) await scene.addClient(name);
      await isReady(scene, broker);
      scene.reader.start(all, [0], 10);
      await scene.pass(6_000);
      const other = new Client({ connectionString: scene.fleet.database.url });
      await other.connect();
      try {
        await other.query('BEGIN; LOCK TABLE clients, keys IN ACCESS EXCLUSIVE MODE');
        const exhausted = scene.inject.begin('the pool is exhausted', { clients: [] });
        const asked = Promise.all(Array.from({ length: 30 }, () => scene.admin('GET', '/v1/clients')));
        await scene.until(
          'every connection waits for the lock',
          () => stuckQueries(scene),
          (count) => count >= 10,
        );
        const [stuckAt, ready] = [Date.now(), await readiness(broker)];
        await scene.pass(10_000);
        scene.inject.end(exhausted);
        const refusals = new Set((await asked).map(({ status, body }) => `${status} ${body.code}`));
        await other.query('ROLLBACK');
        const { answers } = scene.record;
        const before = latencies(answers.filter(({ sentAt }) => sentAt < exhausted.from));
        const during = latencies(answers.filter(({ sentAt }) => sentAt > stuckAt && sentAt < exhausted.to!));
        for (const name of all) await callAfter(scene, name, exhausted.to!);
        await isReady(scene, broker);
        expect(ready.status === 'degraded', `readiness was ${ready.status}`);
        expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads were refused`);
        expect([...refusals].join() === '503 database_unavailable', `admins were answered ${[...refusals].join()}`);
        expect(during.count > 500, `only ${during.count} reads`);
        expect(
          during.median <= before.median + 5,
          `median of reads: ${before.median} ms before, ${during.median} ms during`,
        );
        // So long the authenticator has patience with a database: once, until it knows that it is silent.
        expect(during.slow <= 2 * all.length, `${during.slow} of ${during.count} reads waited for the database`);
        return `median of reads ${before.median} ms before, ${during.median} ms during (${during.count} reads, 99 % within ${during.most} ms); 30 admin calls 503; healed`;
      } finally {
        await other.end();
      }
    },
  },
];

/** Not by the transaction that holds the lock: what it sees of others stands still. */
async function stuckQueries({ fleet }: Scene): Promise<number> {
  const waiting = `datname = current_database() AND wait_event_type = 'Lock'`;
  const [row] = await runSql(fleet.database.url, `SELECT count(*)::int AS n FROM pg_stat_activity WHERE ${waiting}`);
  return row.n;
}

function latencies(answers: Answer[]): { count: number; median: number; most: number; slow: number } {
  const sorted = answers.map(({ sentAt, receivedAt }) => receivedAt - sentAt).toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)] ?? NaN;
  return { count: sorted.length, median: at(0.5), most: at(0.99), slow: sorted.filter((ms) => ms >= 240).length };
}
