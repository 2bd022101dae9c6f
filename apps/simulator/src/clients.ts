import { CallLog, remember } from './call-log';
import type { ResourceModes, TokenModes } from './mode-catalogue';
import { ModeSet } from './mode-set';

/** The key under which calls with no known client are counted; no client may be registered under it. */
export const unknownKey = 'unknown';

export interface Registration {
  secret?: string;
  ttl_seconds?: number;
  org_id?: number;
}

/** A key/secret pair at the simulated issuer, with its switches and its counts. */
export class Client {
  secret: string | undefined;
  /** How often the secret was changed. */
  rotations = 0;
  ttlSeconds = 300;
  orgId = 1115;
  readonly modes = new ModeSet<TokenModes>();
  readonly resourceModes = new ModeSet<ResourceModes>();
  readonly calls = new CallLog();
  readonly resourceCalls = new CallLog();
  private issued = 0;
  private recentTokens: { issued_at: number; expires_at: number }[] = [];

  constructor(
    readonly key: string,
    /** The `client_id` claim. */
    readonly id: number,
  ) {}

  /** Changes what is named and leaves the rest: tokens, counts and modes survive a rotation of the secret. */
  change(registration: Registration): void {
    const { secret = this.secret } = registration;
    if (this.secret !== undefined && secret !== this.secret) this.rotations += 1;
    this.secret = secret;
    this.ttlSeconds = registration.ttl_seconds ?? this.ttlSeconds;
    this.orgId = registration.org_id ?? this.orgId;
  }

  countIssued(issuedAt: number, expiresAt: number): void {
    this.issued += 1;
    remember(this.recentTokens, { issued_at: issuedAt, expires_at: expiresAt });
  }

  resetCounts(): void {
    this.issued = 0;
    this.recentTokens = [];
    this.calls.reset();
    this.resourceCalls.reset();
  }

  summary() {
    const { calls, outcomes } = this.calls.counts();
    return {
      key: this.key,
      ttl_seconds: this.ttlSeconds,
      org_id: this.orgId,
      calls,
      issued: this.issued,
      refused: outcomes['refused'] ?? 0,
      outcomes,
      resource: this.resourceCalls.counts(),
      modes: this.modes.show(),
      resource_modes: this.resourceModes.show(),
    };
  }

  detail() {
    return {
      ...this.summary(),
      recent_calls: this.calls.latest(),
      recent_tokens: this.recentTokens,
      recent_resource_calls: this.resourceCalls.latest(),
    };
  }
}

export class Clients {
  readonly unknown = new Client(unknownKey, 0);
  private readonly registered = new Map<string, Client>();
  private lastId = 20;

  find(key: string): Client | undefined {
    return this.registered.get(key);
  }

  add(key: string): Client {
    const client = new Client(key, (this.lastId += 1));
    this.registered.set(key, client);
    return client;
  }

  remove(key: string): void {
    this.registered.delete(key);
  }

  all(): Client[] {
    return [...this.registered.values()];
  }
}
