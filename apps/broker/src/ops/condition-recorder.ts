import type { Clients } from '#registry';
import type { Condition, TokenEvents } from '#tokens';

interface Change {
  condition: Condition;
  reason?: string;
}

/** Carries changes of condition to the database, many at once. A renewal that goes well again writes nothing. */
export class ConditionRecorder implements TokenEvents {
  #changes = new Map<string, Change>();
  #writing = false;

  constructor(private readonly clients: Clients) {}

  conditionChanged({ clientId, ...change }: { clientId: string } & Change): void {
    this.#changes.set(clientId, change);
  }

  /** Writes what has changed; keeps it for the next time when the database does not answer. */
  async flush(): Promise<void> {
    if (this.#writing) return; // one after the other, so that no older condition follows a newer one
    this.#writing = true;
    const changes = this.#changes;
    this.#changes = new Map();
    try {
      await this.clients.recordConditions(changes);
    } catch (error) {
      this.#changes = new Map([...changes, ...this.#changes]);
      throw error;
    } finally {
      this.#writing = false;
    }
  }
}
