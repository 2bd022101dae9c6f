import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { ClientRecord } from '#registry';
import { type ClientState, conditionOf, conditions, type LastFailure } from '#tokens';
import { FailureView, failureView } from './failure.view';

class LastFailureView extends FailureView {
  @ApiProperty({ format: 'date-time' })
  at: string;
}

/** A client as admins see it. Secret inputs are not in it, in any form. */
export class ClientView {
  @ApiProperty()
  name: string;

  @ApiProperty()
  provider: string;

  @ApiProperty({ description: "The version of the provider's definition that it goes by, until it is moved." })
  provider_version: number;

  @ApiPropertyOptional({
    description: 'The version that a new client would get; absent where this one goes by none that is older.',
  })
  provider_version_latest?: number;

  @ApiProperty({ enum: conditions })
  condition: string;

  @ApiPropertyOptional({ description: 'Why, where something is wrong.' })
  reason?: string;

  @ApiProperty({ format: 'date-time' })
  condition_since: string;

  @ApiProperty({ type: 'object', additionalProperties: { type: 'string' } })
  labels: Record<string, string>;

  @ApiProperty({ type: 'object', properties: { max_ttl_seconds: { type: 'integer' } } })
  renewal: { max_ttl_seconds?: number };

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'The inputs that are no secrets.',
  })
  inputs: Record<string, string>;

  @ApiPropertyOptional({ description: 'Seconds for which the present token may still be served; absent without one.' })
  runway_seconds?: number;

  @ApiPropertyOptional({ format: 'date-time', description: 'Up to when the present token is served.' })
  expires_at?: string;

  @ApiPropertyOptional({ format: 'date-time' })
  next_renewal_at?: string;

  @ApiPropertyOptional({ type: LastFailureView })
  last_failure?: LastFailureView;

  @ApiProperty({ description: 'Rises with every change of inputs.' })
  secret_version: number;

  @ApiProperty({ description: 'Rises with every change by an admin; the ETag.' })
  version: number;

  @ApiProperty({ format: 'date-time' })
  created_at: string;

  @ApiProperty({ format: 'date-time' })
  updated_at: string;
}

export class ClientPageView {
  @ApiProperty({ type: [ClientView] })
  items: ClientView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

/**
 * @param state what the token store knows; absent when it does not answer, and then the last recorded condition stands
 * @param newest version of the provider's definition
 */
export function clientView(
  client: ClientRecord,
  state: ClientState | undefined,
  newest: number | undefined,
): ClientView {
  const live = client.enabled && state ? state : undefined;
  const runwayMs = live?.token?.runwayMs ?? 0;
  const condition = live ? conditionOf(live) : client.condition;
  const reason = live ? live.lastFailure?.message : client.reason;
  return {
    name: client.name,
    provider: client.provider,
    provider_version: client.providerVersion,
    ...(newest !== undefined && newest > client.providerVersion && { provider_version_latest: newest }),
    condition,
    ...(reason && { reason }),
    condition_since: client.conditionSince.toISOString(),
    labels: client.labels,
    renewal: client.renewal,
    inputs: client.inputs,
    ...(runwayMs > 0 && { runway_seconds: Math.floor(runwayMs / 1_000), expires_at: fromNow(runwayMs) }),
    ...(live?.dueInMs !== undefined && { next_renewal_at: fromNow(live.dueInMs) }),
    ...(live?.lastFailure && { last_failure: lastFailureView(live.lastFailure) }),
    secret_version: client.secretVersion,
    version: client.version,
    created_at: client.createdAt.toISOString(),
    updated_at: client.updatedAt.toISOString(),
  };
}

function lastFailureView({ at, ...failure }: LastFailure): LastFailureView {
  return { ...failureView(failure), at: new Date(at).toISOString() };
}

function fromNow(ms: number): string {
  return new Date(Date.now() + ms).toISOString();
}
