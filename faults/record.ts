/** Times are ms since 1970 by the clock of the harness, which is the provider's too. */
export interface Answer {
  sentAt: number;
  receivedAt: number;
  /** Index in `brokers`. */
  broker: number;
  client: string;
  /** 0: there was no answer. */
  status: number;
  /** Index in `tokens`. */
  token?: number;
  /** From the ETag. */
  generation?: number;
  expiresInSeconds?: number;
  /** Of the problem, or of the connection's failure. */
  code?: string;
  reason?: string;
  retryAfterSeconds?: number;
}

export interface Span {
  from: number;
  /** Absent while it lasts. */
  to?: number;
}

/**
 * What a fault may take away beyond its own time: `promises`, what brokers told of a token's life; the `order` of
 * generations; `quotas`, what is known of the requests made before.
 */
export type Breakage = 'promises' | 'order' | 'quotas';

export interface Fault extends Span {
  what: string;
  /** Those whose renewals it touches. */
  clients: readonly string[] | 'all';
  /** Those whose answers it touches: while it lasts they need not be good. */
  brokers: readonly number[];
  /** Token requests more than without it, for each client. */
  extraCalls: number;
  /** How much later than at its end a renewal may still be because of it. */
  delaysMs: number;
  breaks: readonly Breakage[];
  /** While it lasts nobody can put clients back into the queue. */
  hindersQueue: boolean;
}

export interface BrokerLife {
  pid: number;
  startedAt: number;
  /** When it was told to end, or was killed. */
  endedAt?: number;
  /** What it printed, filled in at the end. */
  output: string;
}

/** A request for a token, as the provider saw it. */
export interface Call {
  at: number;
  outcome: string | null;
  ended_at: number | null;
}

export interface ClientLife {
  name: string;
  /** Of the row in PostgreSQL, and so in the queue. */
  id: string;
  /** Under which the provider knows it. */
  key: string;
  lifeSeconds: number;
  /** The provider tells a life that is not the real one: what is served past its real end is not the broker's fault. */
  untruthful: boolean;
  quota?: { name: string; requests: number; windowSeconds: number };
  registeredAt: number;
  /** Deleted or disabled: nothing is to be served or renewed. */
  inactive: Span[];
  rotations: { provider: number; answered?: number }[];
  /** Filled in at the end, from the provider. */
  calls: Call[];
  issued: { issued_at: number; expires_at: number }[];
}

export interface TokenFate {
  value: string;
  client: string;
  /** Filled in at the end, from the provider. */
  issuedAt: number;
  expiresAt: number;
  supersededAt: number | null;
  revokedAt: number | null;
  /** How often the secret had been changed when it was asked for. */
  rotations: number;
}

/** Everything that is known of one scene. The checks read nothing else, so they can be tried on one that was made up. */
export interface Record {
  startedAt: number;
  endedAt: number;
  brokers: BrokerLife[];
  clients: ClientLife[];
  answers: Answer[];
  tokens: TokenFate[];
  faults: Fault[];
  /** When active clients were seen to be missing from the queue; absent `to`: to the end. */
  absences: (Span & { client: string })[];
  /** When the machine was too busy even for the harness: nothing was quick then. */
  stalls: (Span & { to: number })[];
  /** Lines of the row's own. */
  notes: { at: number; text: string }[];
}

export function emptyRecord(): Record {
  const startedAt = Date.now();
  return {
    ...{ startedAt, endedAt: 0, brokers: [], clients: [], answers: [] },
    ...{ tokens: [], faults: [], absences: [], stalls: [], notes: [] },
  };
}

export const touchesClient = ({ clients }: Fault, name: string): boolean => clients === 'all' || clients.includes(name);

export const overlaps = (span: Span, from: number, to: number): boolean =>
  span.from <= to && (span.to ?? Infinity) >= from;

/** Requests that brought their asker a token, as far as the provider knows. */
export const gotToken = (outcome: string | null): boolean => outcome === 'issued' || outcome === 'same_token';
