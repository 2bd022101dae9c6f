import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Logger } from '../logger';
import type { ReadRecorder } from './read-recorder';

/** Takes audited reads to the database each second. Says once that it does not answer, and once that it does again. */
@Injectable()
export class ReadSchedule {
  #running: Promise<void> | undefined;
  #failing = false;

  constructor(
    private readonly recorder: ReadRecorder,
    private readonly logger: Logger,
  ) {}

  @Interval(1_000)
  record(): Promise<void> {
    return (this.#running ??= this.#write(false).finally(() => (this.#running = undefined)));
  }

  /** All that is left, at the end. */
  async flush(): Promise<void> {
    await this.#running;
    await this.#write(true);
    if (this.recorder.held > 0) this.logger.error({ rows: this.recorder.held }, 'audited reads were not written');
  }

  async #write(all: boolean): Promise<void> {
    try {
      await this.recorder.flush(all);
      if (this.#failing) this.logger.info('audited reads are written again');
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.logger.warn({ err: error }, 'audited reads cannot be written; keeping them until they can');
      this.#failing = true;
    }
  }
}
