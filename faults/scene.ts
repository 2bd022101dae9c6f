import { startFleet } from '../apps/broker/test/fleet';
import { startProgram } from '../bench/program';
import { provisioned } from '../test/harness/provisioned';
import { Inject } from './inject';
import { startRedisWithClock } from './redis-clock';
import { startTopology } from './redis-topologies';
import { Rig } from './rig';

export interface RigOptions {
  /** Redis runs under libfaketime, and `scene.redisClock.shift` moves its clock. */
  redisClock?: true;
  /** In place of a single Redis, as `scene.sentinel` or `scene.cluster`. */
  redis?: 'sentinel' | 'cluster';
}

/** What a row is given: a rig, and the faults to inject. */
export class Scene extends Rig {
  readonly inject = new Inject(this);

  static async start({ redisClock, redis: kind }: RigOptions = {}): Promise<Scene> {
    const clock = redisClock && (await startRedisWithClock());
    const topology = kind && (await startTopology(kind));
    const redis = clock?.redis ?? topology?.redis;
    await provisioned('build');
    // A process of its own: what readers cost here must not slow down the provider.
    const { url, stop } = await startProgram('apps/simulator/src/main.js', { PORT: '0', CHEAP_TOKENS: '1' });
    const own = { simulator: { url, close: stop }, ...(redis && { redis }) };
    return new Scene(await startFleet(0, {}, own), clock, topology);
  }

  override async stop(): Promise<void> {
    await this.inject.thawAll();
    await super.stop();
  }
}
