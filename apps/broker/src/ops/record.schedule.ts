import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Access } from '#registry';
import { Authenticator } from '../auth/authenticator';
import type { Logger } from '../logger';
import { ConditionRecorder } from './condition-recorder';

/** What requests and renewals leave behind, written for many of them at once and never while they wait. */
@Injectable()
export class RecordSchedule {
  constructor(
    private readonly conditions: ConditionRecorder,
    private readonly authenticator: Authenticator,
    private readonly access: Access,
    private readonly logger: Logger,
  ) {}

  @Interval(1_000)
  async recordConditions(): Promise<void> {
    await this.conditions.flush().catch((error: unknown) => this.#failed(error, 'conditions'));
  }

  @Interval(10_000)
  async recordUses(): Promise<void> {
    await this.access
      .recordUses(this.authenticator.takeUses())
      .catch((error: unknown) => this.#failed(error, 'the last use of keys'));
  }

  #failed(error: unknown, what: string): void {
    this.logger.warn({ err: error }, `${what} could not be written; trying again`);
  }
}
