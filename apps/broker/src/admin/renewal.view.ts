import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { type Attempt, type ClientState, conditionOf, conditions } from '#tokens';

export class AttemptView {
  @ApiProperty({ format: 'date-time' })
  at: string;

  @ApiProperty({
    enum: ['renewed', 'kept', 'failed'],
    description: '`kept`: the provider gave the token that there was already, or one that ends no later.',
  })
  outcome: string;

  @ApiProperty()
  duration_ms: number;

  @ApiPropertyOptional({ example: 'credentials_refused' })
  reason?: string;

  @ApiPropertyOptional()
  message?: string;

  @ApiPropertyOptional()
  provider_status?: number;

  @ApiPropertyOptional({ description: 'Of failures, and of the latest attempt that went well.' })
  provider_request_id?: string;
}

export class AttemptsView {
  @ApiProperty({ type: [AttemptView] })
  items: AttemptView[];
}

const outcomes = ['renewed', 'kept', 'failed', 'held', 'not_yet'];

export class RequestedRenewalView {
  @ApiProperty({
    enum: outcomes,
    description:
      '`kept`: the provider gave the token that there was already, or one that ends no later; `held`: another replica is at it, or one that renews will be; `not_yet`: the provider may not be asked now, or fails too often to be.',
  })
  outcome: string;

  @ApiPropertyOptional({ description: 'When to ask again, where it was `not_yet`.' })
  retry_after_seconds?: number;

  @ApiProperty({ enum: conditions })
  condition: string;

  @ApiProperty({ description: 'Seconds for which the present token may still be served; 0 without one.' })
  runway_seconds: number;

  @ApiPropertyOptional({ type: AttemptView })
  last_attempt?: AttemptView;
}

export function attemptView(attempt: Attempt): AttemptView {
  const { at, outcome, durationMs, reason, message, providerStatus, providerRequestId } = attempt;
  return {
    at: new Date(at).toISOString(),
    outcome,
    duration_ms: Math.round(durationMs),
    ...(reason !== undefined && { reason }),
    ...(message !== undefined && { message }),
    ...(providerStatus !== undefined && { provider_status: providerStatus }),
    ...(providerRequestId !== undefined && { provider_request_id: providerRequestId }),
  };
}

export function requestedRenewalView(
  { outcome, retryAfterSeconds }: { outcome: string; retryAfterSeconds?: number },
  state: ClientState,
  last: Attempt | undefined,
): RequestedRenewalView {
  return {
    outcome,
    ...(retryAfterSeconds !== undefined && { retry_after_seconds: retryAfterSeconds }),
    condition: conditionOf(state),
    runway_seconds: Math.max(0, Math.floor((state.token?.runwayMs ?? 0) / 1_000)),
    ...(last && { last_attempt: attemptView(last) }),
  };
}
