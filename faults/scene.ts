import { startFleet } from '../apps/broker/test/fleet';
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
    return new Scene(await startFleet(0, {}, clock?.redis), clock);
  }

  override async stop(): Promise<void> {
    await this.inject.thawAll();
    await super.stop();
  }
}
