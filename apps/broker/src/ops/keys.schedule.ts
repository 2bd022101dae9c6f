import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { MasterKeys } from '#registry';
import type { Logger } from '../logger';

/** Whether this replica has the master keys for what is stored: looked up now and then, never while a request waits. */
@Injectable()
export class KeysSchedule {
  #state = 'ok';
  #looking = false;

  constructor(
    private readonly masterKeys: MasterKeys,
    private readonly logger: Logger,
  ) {}

  /** `ok`, or what is wrong with which key. */
  get state(): string {
    return this.#state;
  }

  /** Before the first request: registers the keys of this process, and says which older ones are needed still. */
  async begin(): Promise<void> {
    await this.masterKeys.register();
    await this.#look();
    for (const { kid, holds } of await this.masterKeys.olderInUse())
      this.logger.info({ kid, holds }, 'an older master key is still needed: keep it in MASTER_KEYS');
  }

  /** What is stored may be sealed by another key meanwhile, or have been deleted: then it is ready without a restart. */
  @Interval(60_000)
  async check(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#look();
    } catch (error) {
      // What was known goes on holding; that the database is away others say.
      this.logger.debug({ err: error }, 'the master keys could not be checked; trying again in a minute');
    } finally {
      this.#looking = false;
    }
  }

  async #look(): Promise<void> {
    const unusable = await this.masterKeys.unusable();
    const faults = unusable.map(({ kid, why, holds }) =>
      why === 'missing'
        ? `missing: ${kid} (for ${holds.join(', ')})`
        : `${kid} is another key than the one that sealed what is stored (${holds.join(', ')})`,
    );
    const state = faults.join('; ') || 'ok';
    if (state === this.#state) return;
    this.#state = state;
    if (state === 'ok') this.logger.info('the master keys are all here');
    else this.logger.error({ keys: state }, 'MASTER_KEYS of this replica do not open what is stored: it is not ready');
  }
}
