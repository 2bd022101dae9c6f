import { startFleet } from '../apps/broker/test/fleet';
import { startProgram } from '../bench/program';
import { provisioned } from '../test/harness/provisioned';
import { Inject } from './inject';
import { startRedisWithClock } from './redis-clock';
import { Rig } from './rig';

export interface RigOptions {
  /** Redis runs under libfaketime, and `scene.redisClock.shift` moves its clock. */
  redisClock?: true;
}

/** What a row is given: a rig, and the faults to inject. */
export class Scene extends Rig {
  readonly inject = new Inject(this);

  static async start({ redisClock }: RigOptions = {}): Promise<Scene> {
    const clock = redisClock && (await startRedisWithClock());
    await provisioned('build');
    // A process of its own: what readers cost here must not slow down the provider.
    const { url, stop } = await startProgram('apps/simulator/src/main.js', { PORT: '0', CHEAP_TOKENS: '1' });
    const own = { simulator: { url, close: stop }, ...(clock && { redis: clock.redis }) };
    return new Scene(await startFleet(0, {}, own), clock);
  }

  override async stop(): Promise<void> {
    await this.inject.thawAll();
    await super.stop();
  }
}
