import type { Client } from './clients';

/** Tokens remembered in all; the oldest are forgotten first and then count as invalid. */
const rememberedTokens = 100_000;

export interface TokenRecord {
  value: string;
  client: Client;
  /** All times: ms since 1970, on the simulator's clock. */
  issuedAt: number;
  /** When it really dies, whatever the answer said. */
  expiresAt: number;
  supersededAt: number | null;
  revokedAt: number | null;
  /** How often the secret had been changed when it was asked for. */
  rotations: number;
}

export type Verdict = 'alive' | 'expired' | 'invalid';

/** Every token issued and what became of it: the one authority on whether a token is alive at a moment. */
export class Ledger {
  private readonly byValue = new Map<string, TokenRecord>();
  /** Oldest first, with some dead ones among them until the next sweep. */
  private readonly ofClient = new Map<Client, { records: TokenRecord[]; sweepAt: number }>();

  record(token: Pick<TokenRecord, 'value' | 'client' | 'issuedAt' | 'expiresAt' | 'rotations'>): TokenRecord {
    const record = { ...token, supersededAt: null, revokedAt: null };
    this.byValue.set(record.value, record);
    this.append(record);
    if (this.byValue.size > rememberedTokens) {
      for (const oldest of this.byValue.keys()) {
        this.byValue.delete(oldest);
        break;
      }
    }
    return record;
  }

  newestLive(client: Client, at: number): TokenRecord | undefined {
    return this.ofClient.get(client)?.records.findLast((record) => judge(record, at) === 'alive');
  }

  supersede(client: Client, at: number): void {
    for (const record of this.live(client, at)) record.supersededAt = at;
  }

  /** Returns how many were alive. */
  revoke(client: Client, at: number): number {
    const records = this.live(client, at);
    for (const record of records) record.revokedAt = at;
    return records.length;
  }

  find(value: string): TokenRecord | undefined {
    return this.byValue.get(value);
  }

  /** Forgets a client that is gone, once its tokens are revoked. */
  forget(client: Client): void {
    this.ofClient.delete(client);
  }

  private live(client: Client, at: number): TokenRecord[] {
    return (this.ofClient.get(client)?.records ?? []).filter((record) => judge(record, at) === 'alive');
  }

  /** Sweeps only when the list has doubled: a benchmark leaves one client tens of thousands of living tokens. */
  private append(record: TokenRecord): void {
    const { client, issuedAt } = record;
    const held = this.ofClient.get(client) ?? { records: [], sweepAt: 64 };
    held.records.push(record);
    if (held.records.length >= held.sweepAt) {
      held.records = this.live(client, issuedAt);
      held.sweepAt = Math.max(64, 2 * held.records.length);
    }
    this.ofClient.set(client, held);
  }
}

/** Whether a token was or is alive at a moment, which may lie in the past. */
export function judge(record: TokenRecord | undefined, at: number): Verdict {
  if (record === undefined || at < record.issuedAt) return 'invalid';
  if (record.revokedAt !== null && at >= record.revokedAt) return 'invalid';
  if (record.supersededAt !== null && at >= record.supersededAt) return 'invalid';
  return at < record.expiresAt ? 'alive' : 'expired';
}
