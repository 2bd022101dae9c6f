import type { SceneBroker } from '../rig';
import type { Scene } from '../scene';
import { countedQuota, type Plan, type PlannedStep } from './plan';

const wired = { wires: ['redis', 'postgres'] as ('redis' | 'postgres')[], controlled: true as const };
/** Breakers are per origin, and all clients have the same: one opened by some holds back all for a while. */
const breakerMs = 15_000;

/** Carries a plan out, and waits until all is well again. */
export async function perform(scene: Scene, plan: Plan): Promise<string> {
  await scene.addBrokers(plan.brokers, wired);
  await scene.define('own', {});
  await scene.define('counted', { quota: countedQuota });
  for (const { name, ...options } of plan.clients) await scene.addClient(name, { ...options, verify: false });
  const names = plan.clients.map(({ name }) => name);
  // As many reads as the machine can bear beside everything else: some 150 a second.
  const pauseMs = Math.max(50, names.length * plan.brokers * 7);
  const read = ({ index }: SceneBroker): void => void scene.reader.start(names, [index], pauseMs);
  await allServed(scene); // what begins ill tells nothing of faults
  scene.brokers.forEach(read);

  /** Which process is in the place of which broker of the plan. */
  const places = [...scene.brokers];
  const begun = Date.now();
  await Promise.all(
    plan.steps.map(async (step) => {
      await scene.pass(Math.max(0, begun + step.atMs - Date.now()));
      await take(scene, step, places, read);
    }),
  );
  await scene.pass(Math.max(0, begun + plan.loadMs - Date.now()));
  await allServed(scene);
  await scene.until(
    'everybody is in the queue',
    () => scene.queue.absent(),
    (names_) => names_.length === 0,
    75_000,
  );
  const answers = scene.record.answers;
  const refused = answers.filter(({ status }) => status !== 200).length;
  return `${answers.length} reads, ${refused} of them without a token; well again`;
}

/** Every active client is served by every broker. */
async function allServed(scene: Scene): Promise<void> {
  const active = scene.record.clients.filter(({ inactive }) => inactive.every(({ to }) => to !== undefined));
  for (const { name } of active) {
    for (const { index } of scene.live()) {
      await scene.until(
        `broker ${index} serves ${name}`,
        () => scene.reader.read(name, index),
        ({ status }) => status === 200,
        90_000,
      );
    }
  }
}

async function take(
  scene: Scene,
  step: PlannedStep,
  places: SceneBroker[],
  read: (broker: SceneBroker) => void,
): Promise<void> {
  const { inject } = scene;
  const lasts = (): Promise<void> => scene.pass(step.lastsMs);
  // On a busy machine the successor of a killed one may not be there yet.
  const place = 'broker' in step ? step.broker : undefined;
  await scene.until(
    'there is a broker for the next step',
    async () => (place === undefined ? scene.live().length > 0 : scene.live().includes(places[place]!)),
    (there) => there,
    60_000,
  );
  switch (step.kind) {
    case 'kill': {
      const none = places.length === 1 ? inject.begin('no broker at all', { extraCalls: 1 }) : undefined;
      await inject.kill(places[step.broker]!);
      await lasts();
      places[step.broker] = await scene.addBroker(wired);
      if (none) inject.end(none);
      return read(places[step.broker]!);
    }
    case 'freeze': {
      const frozen = await inject.freeze(places[step.broker]!);
      await lasts();
      return inject.thaw(places[step.broker]!, frozen);
    }
    case 'clock': {
      const shifted = await inject.shiftClock(places[step.broker]!, step.shiftMs);
      await lasts();
      return inject.endShift(places[step.broker]!, shifted);
    }
    case 'cutRedis': {
      const cut = inject.cutRedis(places[step.broker]!, step.how);
      await lasts();
      return inject.mendRedis(places[step.broker]!, cut);
    }
    case 'freezeRedis': {
      const gone = await inject.freezeRedis();
      await lasts();
      return inject.thawRedis(gone);
    }
    case 'restartRedis': {
      const gone = await inject.killRedis();
      await lasts();
      return inject.restartRedis(gone);
    }
    case 'flushRedis':
      return void (await inject.flushRedis());
    case 'flushScripts':
      return inject.flushScripts();
    case 'cutPostgres': {
      const cut = inject.cutPostgres();
      await lasts();
      return inject.mendPostgres(cut);
    }
    case 'provider': {
      const breaker = inject.begin('a breaker may be open', { delaysMs: breakerMs });
      const misbehaves = await inject.modes(step.clients, step.modes);
      await lasts();
      await inject.endModes(misbehaves);
      return inject.end(breaker);
    }
    case 'rotate':
      return inject.rotate(step.client);
    case 'remove':
      return inject.remove(step.client);
    case 'disable':
      await inject.disable(step.client);
      await lasts();
      return inject.enable(step.client);
  }
}
