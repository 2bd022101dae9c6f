import type { Failure, ProviderErrorCode } from '../failures/errors';

/** One request of a connection test, fit to be shown: secrets and tokens are masked in all of it. */
export interface TestedStep {
  /** Id of the step; `discovery` for the issuer's metadata. */
  id: string;
  request: { method: string; url: string; headers: Record<string, string>; body?: string };
  /** Absent when no answer came. */
  answer?: { status: number; headers: Record<string, string>; body: string };
  durationMs: number;
}

/** What came of trying a definition with inputs, step by step. */
export interface ConnectionTest {
  ok: boolean;
  steps: TestedStep[];
  /** What was made of the answers: a masked token, its life, what it is presented with (masked). */
  extracted?: {
    token: string;
    lifeSeconds: number;
    scope?: string;
    outputs?: Record<string, string>;
    present: { headers: Record<string, string>; query?: Record<string, string>; cookies?: Record<string, string> };
  };
  failure?: Failure & { code: ProviderErrorCode };
  durationMs: number;
}
