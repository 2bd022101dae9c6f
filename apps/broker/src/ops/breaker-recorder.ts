import type { BreakerChange, Events } from '#registry';
import type { TokenEvent, TokenEvents } from '#tokens';

/** Carries to the database what breakers come to: the last state of each, and not that they try again in between. */
export class BreakerRecorder implements TokenEvents {
  #changes = new Map<string, BreakerChange>();

  constructor(private readonly events: Events) {}

  breakerChanged({ provider, origin, state }: TokenEvent<'breakerChanged'>): void {
    if (state !== 'half_open') this.#changes.set(JSON.stringify([provider, origin]), { provider, origin, state });
  }

  /** Writes what has changed; keeps it for the next time when the database does not answer. */
  async flush(): Promise<void> {
    const changes = this.#changes;
    if (changes.size === 0) return;
    this.#changes = new Map();
    try {
      await this.events.recordBreakers([...changes.values()]);
    } catch (error) {
      this.#changes = new Map([...changes, ...this.#changes]);
      throw error;
    }
  }
}
