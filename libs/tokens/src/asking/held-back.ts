/** The provider was not asked, for its own good: it fails most requests, or too many retries of them. */
export class HeldBack extends Error {
  readonly code = 'provider_unavailable';
  /** What to do about it. */
  readonly hint = 'Nothing, at first: it heals by itself. The last failures of its other clients tell what is wrong.';

  /** @param waitMs before which it makes no sense to try again */
  constructor(
    readonly why: 'breaker_open' | 'retry_budget',
    readonly waitMs: number,
  ) {
    super(
      why === 'breaker_open'
        ? 'the provider fails most requests: it is asked once every 5 s until it answers'
        : 'so many requests to the provider fail that not all of them are repeated',
    );
    this.name = 'HeldBack';
  }
}
