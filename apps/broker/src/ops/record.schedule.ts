import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { Access, Clients } from '#registry';
import { conditionOf, TokenService } from '#tokens';
import { Authenticator } from '../auth/authenticator';
import type { Logger } from '../logger';
import { BreakerRecorder } from './breaker-recorder';
import { ConditionRecorder } from './condition-recorder';
import { HourRecorder } from './hour-recorder';

const mendAtOnce = 1_000;

/** What requests and renewals leave behind, written for many of them at once and never while they wait. */
@Injectable()
export class RecordSchedule {
  constructor(
    private readonly conditions: ConditionRecorder,
    private readonly breakers: BreakerRecorder,
    private readonly hours: HourRecorder,
    private readonly clients: Clients,
    private readonly tokens: TokenService,
    private readonly authenticator: Authenticator,
    private readonly access: Access,
    private readonly logger: Logger,
  ) {}

  @Interval(1_000)
  async recordConditions(): Promise<void> {
    await this.conditions.flush().catch((error: unknown) => this.#failed(error, 'conditions'));
    await this.breakers.flush().catch((error: unknown) => this.#failed(error, 'changes of breakers'));
  }

  @Interval(60_000)
  async recordHours(): Promise<void> {
    await this.hours.flush().catch((error: unknown) => this.#failed(error, 'the renewals of the hour'));
  }

  /** What was gathered since the last time; the renewals that were running have ended before. */
  async flush(): Promise<void> {
    await Promise.all([this.recordConditions(), this.recordHours(), this.recordUses()]);
  }

  @Interval(10_000)
  async recordUses(): Promise<void> {
    const uses = this.authenticator.takeUses();
    await this.access.recordUses(uses).catch((error: unknown) => {
      this.authenticator.putBackUses(uses);
      this.#failed(error, 'the last use of keys');
    });
  }

  /** A process that dies between a change of condition and its record leaves the old one: here it is set right. */
  @Interval(60_000)
  async mendConditions(): Promise<void> {
    try {
      const unwell = await this.clients.unwell(mendAtOnce);
      const states = await this.tokens.states(unwell.map(({ id }) => id));
      for (const [index, { id, condition }] of unwell.entries()) {
        const present = conditionOf(states[index]!);
        if (present !== condition) this.conditions.conditionChanged({ clientId: id, condition: present });
      }
    } catch (error) {
      this.#failed(error, 'conditions');
    }
  }

  #failed(error: unknown, what: string): void {
    this.logger.warn({ err: error }, `${what} could not be written; trying again`);
  }
}
