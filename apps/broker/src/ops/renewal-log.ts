import type { Logger } from '../logger';
import type { TokenEvents } from '#tokens';

type Heard<K extends keyof TokenEvents> = Parameters<NonNullable<TokenEvents[K]>>[0];

/** What the token logic has to say, in the log. A renewal that went well is for debugging. */
export class RenewalLog implements TokenEvents {
  constructor(private readonly logger: Logger) {}

  renewed(event: Heard<'renewed'>): void {
    this.logger.debug(event, 'token renewed');
  }

  renewalFailed(event: Heard<'renewalFailed'>): void {
    this.logger.warn(event, 'renewal failed');
  }

  tokenDiscarded(event: Heard<'tokenDiscarded'>): void {
    this.logger.info(event, 'token discarded');
  }

  fault({ what, error, clientId }: Heard<'fault'>): void {
    this.logger.error({ err: error, clientId }, `${what} went wrong`);
  }
}
