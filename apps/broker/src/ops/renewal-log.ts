import type { Logger } from '../logger';
import type { TokenEvent, TokenEvents } from '#tokens';

/** What the token logic has to say, in the log. A renewal that went well is for debugging. */
export class RenewalLog implements TokenEvents {
  constructor(private readonly logger: Logger) {}

  renewed(event: TokenEvent<'renewed'>): void {
    this.logger.debug(event, 'token renewed');
  }

  renewalFailed(event: TokenEvent<'renewalFailed'>): void {
    this.logger.warn(event, 'renewal failed');
  }

  tokenDiscarded(event: TokenEvent<'tokenDiscarded'>): void {
    this.logger.info(event, 'token discarded');
  }

  tokenRejected(event: TokenEvent<'tokenRejected'>): void {
    this.logger[event.renewal === 'started' ? 'info' : 'debug'](event, 'token rejected');
  }

  fault({ what, error, clientId }: TokenEvent<'fault'>): void {
    this.logger.error({ err: error, clientId }, `${what} went wrong`);
  }
}
