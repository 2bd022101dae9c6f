import { Readable } from 'node:stream';
import { type Clock, type IssuedToken, type ProviderDefinition, ProviderUnavailable } from '#providers';
import { KeyRing, newMasterKey, Secret, Vault } from '#vault';
import type { TokenEvents } from './events';
import { MemoryTokenStore } from './store/memory-token-store';
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
  /** What observers were told of each call. */
  readonly counted: string[] = [];
  calls = 0;
  lifeSeconds = 300;
  /** What is issued, where it is not a new token at each call. */
  issue = (): { text: string; lifeSeconds: number } => ({
    text: `token-${this.calls}`,
    lifeSeconds: this.lifeSeconds,
  });
  /** How the provider's tokens want to be renewed. */
  renew: NonNullable<ProviderDefinition['renew']> = {};
  answer: () => Promise<void> = () => Promise.resolve();
  known: Partial<RenewableClient> | undefined = {};
  readonly vault = new Vault(KeyRing.parse(newMasterKey('k')));
  load = async (id: string): Promise<RenewableClient | undefined> =>
    this.known && { ...this.client(id), ...this.known };
  active: { id: string; version: number; secretVersion: number }[] = [];
  service = this.newService();

  constructor(private readonly random: () => number = () => 0.5) {}

  /** Another replica, on the same store. */
  newService(options: { renews?: boolean; lacksKeys?: () => boolean; spreadOverMs?: number } = {}): TokenService {
    const observer: TokenEvents = {
      conditionChanged: ({ condition }) => this.heard.push(condition),
      providerCalled: ({ status }) => this.counted.push(status),
      tokenDiscarded: ({ why }) => this.heard.push(why),
      fault: ({ what }) => this.heard.push(`fault: ${what}`),
    };
    return new TokenService({
      spreadOverMs: 0,
      ...options,
      store: this.store,
      vault: this.vault,
      requestToken: (_definition, _inputs, signal) => this.request(signal),
      loadClient: (id) => this.load(id),
      loadClients: async (ids) => ids.map((id) => ({ ...this.client(id), ...this.known })),
      active: {
        count: async () => this.active.length,
        pages: () => Readable.from(inPages(this.active)),
      },
      observers: [observer],
      clock: this.clock,
      random: this.random,
    });
  }

  client(id: string): RenewableClient {
    const token = { value: '', expiry: [{ in: '{{steps.token.body.expires_in}}' }] };
    const definition = { id: 'p', steps: [{}], token, renew: this.renew } as unknown as ProviderDefinition;
    return {
      id,
      provider: 'p',
      definition,
      hosts: 'p.example',
      version: 1,
      secretVersion: 1,
      inputs: async () => ({}),
    };
  }

  async request(signal?: AbortSignal): Promise<IssuedToken> {
    this.calls++;
    const [sentAt, sentAtMonotonic] = [this.clock.now(), this.clock.monotonic()];
    const cancelled = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () =>
        reject(new ProviderUnavailable({ message: 'the request was cancelled' })),
      );
    });
    await Promise.race([this.answer(), cancelled]);
    const { text: token, lifeSeconds } = this.issue();
    return {
      accessToken: new Secret(token),
      tokenType: 'Bearer',
      lifeSeconds,
      sentAt,
      sentAtMonotonic,
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

function inPages<T>(all: T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / 1_000) }, (_, page) =>
    all.slice(page * 1_000, page * 1_000 + 1_000),
  );
}
