import { ask } from '../../apps/broker/test/fleet';
import { runSql } from '../../test/harness/database';
import type { SceneBroker } from '../rig';
import { expect, type Row, seconds } from '../row';
import type { Scene } from '../scene';
import { attemptsOf, refusedReads } from './renewals';
import { callAfter } from './steps';

const master = (kid: string, text: string): string => `${kid}:${Buffer.from(text.padEnd(32, text)).toString('base64')}`;
const [older, newer] = [master('k1', 'abc'), master('k2', 'xyz')];
const bothKeys = { env: { MASTER_KEYS: `${newer},${older}` } };

async function readiness({ running }: SceneBroker) {
  const { status, body } = await ask(`${running.url}/health/ready`, 'GET', undefined, {});
  return { http: status, ...(body as { status: string; checks: { keys: string } }) };
}

export const keyRows: Row[] = [
  {
    number: 36,
    inject: 'a master key missing on one replica',
    expected: 'that replica is not ready; others serve',
    run: async (scene) => {
      const good = await scene.addBroker(bothKeys);
      const names = ['c0', 'c1', 'c2', 'c3'];
      for (const name of names) await scene.addClient(name);
      scene.reader.start(names, [0], 50);
      const lacking = await scene.addBroker({ env: { MASTER_KEYS: older } });
      scene.inject.begin('no k2 on broker 1', { clients: [], brokers: [1] });
      const unfit = await readiness(lacking);
      await scene.pass(15_000);
      const meanwhile = await readiness(good);
      const attempts = (await Promise.all(names.map((name) => attemptsOf(scene, name)))).flat();
      const failed = attempts.filter(({ outcome }) => outcome !== 'renewed');
      await scene.inject.terminate(lacking);
      const restarted = await scene.addBroker(bothKeys);
      const again = await readiness(restarted);
      const read = await scene.reader.read('c0', restarted.index);
      expect(unfit.http === 503 && unfit.status === 'not_ready', `it was ${unfit.http} ${unfit.status}`);
      expect(/^missing: k2 \(for .*clients/.test(unfit.checks.keys), `it said of its keys: ${unfit.checks.keys}`);
      expect(meanwhile.http === 200 && meanwhile.status === 'ready', `the other one was ${meanwhile.status}`);
      expect(failed.length === 0, `${failed.length} attempts failed: ${failed[0]?.reason}`);
      expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads were refused`);
      expect(
        again.status === 'ready' && read.status === 200,
        `with its keys it was ${again.status}, read ${read.status}`,
      );
      return `not ready: "${unfit.checks.keys}"; the other one ready, ${scene.record.answers.length} reads, none refused, ${attempts.length} renewals, none failed; ready again with its keys`;
    },
  },
  {
    number: 37,
    inject: 'a client that cannot be opened',
    expected: 'isolated; the batch goes on; named in the console',
    run: async (scene) => {
      const first = await scene.addBroker();
      const names = ['c0', 'c1', 'c2', 'c3', 'c4'];
      for (const name of [...names, 'poison']) await scene.addClient(name);
      await damage(scene, 'poison');
      const damaged = scene.inject.begin('what is stored of poison is damaged', { clients: ['poison'] });
      // It has opened none of them before.
      const second = await scene.addBroker();
      await scene.inject.terminate(first);
      scene.reader.start(names, [second.index], 50);
      const failing = await scene.until(
        'it is named among those that fail',
        async () => (await scene.mustAdmin('GET', '/v1/clients?status=failing')).body.items,
        (items) => items.length > 0,
      );
      for (const name of names) await callAfter(scene, name, damaged.from);
      const namedMs = Date.now() - damaged.from;
      const summary = (await scene.mustAdmin('GET', '/v1/summary')).body;
      const [trouble] = summary.least_runway;
      const { http, status, checks } = await readiness(second);
      await scene.pass(6_000);
      const items = (await scene.mustAdmin('GET', '/v1/clients?status=failing')).body.items;
      const who = items.map(({ name, last_failure }: any) => `${name} ${last_failure?.code}`).join();
      expect(failing[0].name === 'poison' && who === 'poison cannot_open', `failing: ${who}`);
      expect(
        trouble?.client === 'poison' && summary.clients.failing === 1,
        `in the summary: ${JSON.stringify(summary.least_runway)}`,
      );
      expect(http === 200 && status === 'ready' && checks.keys === 'ok', `readiness: ${status}, keys ${checks.keys}`);
      expect(refusedReads(scene) === 0, `${refusedReads(scene)} reads of the others were refused`);
      return `poison fails with cannot_open and is named by list and summary ("${trouble.reason}") within ${seconds(namedMs)}; five others renewed in time; ready`;
    },
  },
];

/** A character of what is sealed is another one. */
async function damage({ fleet }: Scene, name: string): Promise<void> {
  const middle = 'length(sealed_inputs) - 20';
  const other = `CASE substr(sealed_inputs, ${middle}, 1) WHEN 'A' THEN 'B' ELSE 'A' END`;
  const changed = `overlay(sealed_inputs placing ${other} from ${middle})`;
  await runSql(fleet.database.url, `UPDATE clients SET sealed_inputs = ${changed} WHERE name = '${name}'`);
}
