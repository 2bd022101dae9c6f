import type { Clock, IssuedToken, ProviderDefinition } from '#providers';
import { KeyRing, newMasterKey, Secret, Vault } from '#vault';
import type { TokenEvents } from './events';
import { MemoryTokenStore } from './memory-token-store';
import type { RenewableClient } from './renewable-client';
import { TokenService } from './token-service';

/** A provider whose every answer is decided by the test, and a clock that stands still until told. */
export class Scene {
  /** Somebody may set the wall clock; nobody can set the other. */
  wallShiftMs = 0;
  readonly clock: Clock & { ms: number } = {
    ms: 1_000_000,
    now: () => this.clock.ms + this.wallShiftMs,
    monotonic: () => this.clock.ms,
  };
  readonly store = new MemoryTokenStore(this.clock);
  readonly heard: string[] = [];
  calls = 0;
  lifeSeconds = 300;
  answer: () => Promise<void> = () => Promise.resolve();
  known: Partial<RenewableClient> | undefined = {};
  load = async (id: string): Promise<RenewableClient | undefined> =>
    this.known && { ...this.client(id), ...this.known };
  readonly service = this.newService();

  newService(): TokenService {
    const observer: TokenEvents = {
      conditionChanged: ({ condition }) => this.heard.push(condition),
      tokenDiscarded: ({ why }) => this.heard.push(why),
      fault: ({ what }) => this.heard.push(`fault: ${what}`),
    };
    return new TokenService({
      store: this.store,
      vault: new Vault(KeyRing.parse(newMasterKey('k'))),
      requestToken: () => this.request(),
      loadClient: (id) => this.load(id),
      observers: [observer],
      clock: this.clock,
      random: () => 0.5,
    });
  }

  client(id: string): RenewableClient {
    return { id, provider: 'p', definition: {} as ProviderDefinition, secretVersion: 1, inputs: async () => ({}) };
  }

  async request(): Promise<IssuedToken> {
    this.calls++;
    const token = `token-${this.calls}`;
    const [sentAt, sentAtMonotonic] = [this.clock.now(), this.clock.monotonic()];
    await this.answer();
    return {
      ...{
        accessToken: new Secret(token),
        tokenType: 'Bearer',
        lifeSeconds: this.lifeSeconds,
        sentAt,
        sentAtMonotonic,
      },
      headers: { authorization: `Bearer ${token}` },
    };
  }

  /** Lets time pass as the schedule would see it. */
  async pass(seconds: number): Promise<void> {
    for (let passed = 0; passed < seconds; passed++) {
      this.clock.ms += 1_000;
      await this.service.renewDue();
      await this.service.drain();
    }
  }
}
