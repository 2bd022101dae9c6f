import type { FieldFault } from '../wire';

type Texts = Record<string, string>;
type Open = Record<string, unknown>;

export type Role = 'admin' | 'operator' | 'viewer';
export type Condition = 'fresh' | 'renewing' | 'failing' | 'credentials_refused' | 'disabled';

/** A token request that failed. */
export interface FailureView {
  code: string;
  message: string;
  /** Scrubbed of secrets. */
  provider_words?: string;
  provider_status?: number;
  provider_request_id?: string;
  hint?: string;
}

export interface LastFailureView extends FailureView {
  at: string;
}

/** A client, without its secrets. */
export interface ClientView {
  name: string;
  provider: string;
  provider_version: number;
  /** Absent where it goes by the newest version. */
  provider_version_latest?: number;
  condition: Condition;
  reason?: string;
  condition_since: string;
  labels: Texts;
  renewal: { max_ttl_seconds?: number };
  inputs: Texts;
  runway_seconds?: number;
  expires_at?: string;
  next_renewal_at?: string;
  last_failure?: LastFailureView;
  secret_version: number;
  /** Rises with every change by an admin; what a change has to name. */
  version: number;
  created_at: string;
  updated_at: string;
}

export interface NewClient {
  name: string;
  provider: string;
  provider_version?: number;
  inputs: Open;
  labels?: Texts;
  renewal?: { max_ttl_seconds?: number };
}

export interface ClientChanges {
  /** Those not named stay; `null` takes an optional one away. */
  inputs?: Open;
  provider_version?: number;
  /** All of them, in place of those there are. */
  labels?: Texts;
  renewal?: { max_ttl_seconds?: number };
}

export interface AttemptView {
  at: string;
  outcome: 'renewed' | 'kept' | 'failed';
  duration_ms: number;
  reason?: string;
  message?: string;
  provider_status?: number;
  provider_request_id?: string;
}

export interface RequestedRenewalView {
  outcome: 'renewed' | 'kept' | 'failed' | 'held' | 'not_yet';
  retry_after_seconds?: number;
  condition: Condition;
  runway_seconds: number;
  last_attempt?: AttemptView;
}

export interface ProviderView {
  id: string;
  version: number;
  preset: boolean;
  clients: number;
  title?: string;
  docs?: string;
  inputs?: Open;
  fault?: string;
}

export interface DefinitionView {
  id: string;
  version: number;
  preset: boolean;
  title?: string;
  docs?: string;
  inputs: Open;
  definition: Open;
  /** YAML. */
  source: string;
  warnings: FieldFault[];
  created_at: string;
  created_by: string;
}

export interface VersionView {
  version: number;
  preset: boolean;
  digest: string;
  clients: number;
  created_at: string;
  created_by: string;
}

export interface ValidationView {
  ok: boolean;
  faults: FieldFault[];
  warnings: FieldFault[];
}

/** A definition as YAML or as an object. */
export type DefinitionBody = { source: string } | { definition: Open };

export type ConnectionTestBody = ({ provider: string; provider_version?: number } | DefinitionBody) & { inputs: Open };

export interface ConnectionTestView {
  ok: boolean;
  provider_status?: number;
  error?: string;
  hint?: string;
  duration_ms: number;
  /** Secrets and tokens are masked in it. */
  steps: {
    id: string;
    request: { method: string; url: string; headers: Texts; body?: string };
    answer?: { status: number; headers: Texts; body: string };
    duration_ms: number;
  }[];
  extracted?: {
    token: string;
    life_seconds: number;
    scope?: string;
    outputs?: Texts;
    present: { headers: Texts; query?: Texts; cookies?: Texts };
  };
  failure?: FailureView & { retry_after_seconds?: number };
}

export interface ServiceView {
  name: string;
  created_at: string;
}

export interface KeyView {
  id: string;
  prefix: string;
  expires_at: string | null;
  last_used_at: string | null;
  revoked_at: string | null;
  created_at: string;
}

export interface AdminKeyView extends KeyView {
  name: string;
  role: Role;
}

export interface GrantView {
  id: string;
  service: string;
  client?: string;
  label?: string;
  created_at: string;
}

export interface AuditView {
  seq: string;
  at: string;
  actor: string;
  action: string;
  target: string;
  detail: unknown;
  request_id?: string;
}

/** Reads of one token by one service within a second of the clock. */
export interface ReadsView {
  at: string;
  reads: number;
  service: string;
  key_id?: string;
  client: string;
  client_id: string;
  generation: string;
}

export interface EventView {
  seq: string;
  at: string;
  kind: string;
  client?: string;
  provider?: string;
  detail: unknown;
}

export interface RenewalHourView {
  hour: string;
  provider: string;
  outcome: 'renewed' | 'kept' | 'failed' | 'discarded' | 'held_back';
  reason?: string;
  count: number;
  duration_ms_avg: number;
  duration_ms_max: number;
  lateness_ms_max: number;
}

export interface SummaryView {
  clients: Record<string, number>;
  total: number;
  queue: { depth: number; due: number };
  least_runway: { client: string; runway_seconds: number; at: string; condition: Condition; reason?: string }[];
  next_renewals: { client: string; at: string }[];
  providers: { provider: string; origin: string; breaker: 'open' | 'half_open' }[];
}
