import { Injectable } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { TokenService } from '#tokens';
import type { RoleName } from './config';
import type { Logger } from './logger';

/** Not the same in every replica, so that they do not all ask at the same moment. */
const tickMs = Math.round(250 * (0.8 + 0.4 * Math.random()));
const reconcileMs = 60_000;

/** When renewals happen; how, the tokens lib knows. */
@Injectable()
export class RenewalSchedule {
  constructor(
    private readonly tokens: TokenService,
    private readonly roles: ReadonlySet<RoleName>,
    private readonly logger: Logger,
  ) {}

  @Interval(tickMs)
  async renewDue(): Promise<void> {
    if (!this.roles.has('renew')) return;
    // The store's own connection says so once when it is gone; forty warnings in ten seconds say no more.
    await this.tokens.renewDue().catch((error: unknown) => this.logger.debug({ err: error }, 'nothing was claimed'));
  }

  /** Whatever the queue has lost is back within a minute. */
  @Interval(reconcileMs)
  async reconcile(): Promise<void> {
    if (!this.roles.has('renew')) return;
    try {
      const missing = await this.tokens.reconcile();
      if (missing > 0) this.logger.info({ missing }, 'clients put back into the queue');
    } catch (error) {
      this.logger.warn({ err: error }, 'the queue could not be reconciled; trying again in a minute');
    }
  }
}
