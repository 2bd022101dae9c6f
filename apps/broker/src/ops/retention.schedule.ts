import { Injectable } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { Retention } from '#registry';
import type { Logger } from '../logger';

/** At a minute at which nobody else is likely to do something hourly; of many replicas one gets to do it. */
const everyHour = '23 * * * *';

@Injectable()
export class RetentionSchedule {
  constructor(
    private readonly retention: Retention,
    private readonly logger: Logger,
  ) {}

  @Cron(everyHour, { waitForCompletion: true })
  async forget(): Promise<void> {
    try {
      const rows = await this.retention.run();
      if (rows > 0) this.logger.info({ rows }, 'history older than 90 days deleted');
    } catch (error) {
      this.logger.warn({ err: error }, 'old history could not be deleted; trying again in an hour');
    }
  }
}
