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
  readonly #running = new Map<string, Promise<void>>();

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
  recordConditions(): Promise<void> {
    return this.#alone('conditions', async () => {
      await this.conditions.flush().catch((error: unknown) => this.#failed(error, 'conditions'));
      await this.breakers.flush().catch((error: unknown) => this.#failed(error, 'changes of breakers'));
    });
  }

  @Interval(60_000)
  recordHours(): Promise<void> {
    return this.#alone('hours', () =>
      this.hours.flush().catch((error: unknown) => this.#failed(error, 'the renewals of the hour')),
    );
  }

  /** What was gathered since the last time; the renewals that were running have ended before. */
  async flush(): Promise<void> {
    // What is being written just now does not hold what came after it was begun.
    await Promise.all(this.#running.values());
    await Promise.all([this.recordConditions(), this.recordHours(), this.recordUses()]);
  }

  @Interval(10_000)
  recordUses(): Promise<void> {
    return this.#alone('uses', async () => {
      const uses = this.authenticator.takeUses();
      await this.access.recordUses(uses).catch((error: unknown) => {
        this.authenticator.putBackUses(uses);
        this.#failed(error, 'the last use of keys');
      });
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

  /** One after the other, so that nothing older follows what is newer; who comes meanwhile waits for the one that runs. */
  #alone(what: string, work: () => Promise<void>): Promise<void> {
    const running = this.#running.get(what) ?? work().finally(() => this.#running.delete(what));
    this.#running.set(what, running);
    return running;
  }

  #failed(error: unknown, what: string): void {
    this.logger.warn({ err: error }, `${what} could not be written; trying again`);
  }
}
