import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import type { Logger } from '../logger';
import { Authenticator } from './authenticator';

/** Four times within the second in which a revocation has to act; not the same in every replica. */
const everyMs = Math.round(250 * (0.8 + 0.3 * Math.random()));

/** Keeps what is known of keys and grants true. */
@Injectable()
export class AccessSchedule {
  #running = false;

  constructor(
    private readonly authenticator: Authenticator,
    private readonly logger: Logger,
  ) {}

  @Interval(everyMs)
  async refresh(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      await this.authenticator.refresh();
    } catch (error) {
      // What was known goes on holding; that the database is away others say.
      this.logger.debug({ err: error }, 'it could not be seen whether keys or grants have changed');
    } finally {
      this.#running = false;
    }
  }
}
