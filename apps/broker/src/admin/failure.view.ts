import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { Failure } from '#providers';

/** A token request that failed. */
export class FailureView {
  @ApiProperty({ example: 'credentials_refused' })
  code: string;

  @ApiProperty()
  message: string;

  @ApiPropertyOptional({ description: "The provider's own words, scrubbed." })
  provider_words?: string;

  @ApiPropertyOptional()
  provider_status?: number;

  @ApiPropertyOptional()
  provider_request_id?: string;

  @ApiPropertyOptional({ description: 'What to do.' })
  hint?: string;
}

export function failureView(failure: Failure & { code: string }): FailureView {
  const { code, message, providerWords, providerStatus, providerRequestId, hint } = failure;
  return {
    code,
    message,
    ...(providerWords !== undefined && { provider_words: providerWords }),
    ...(providerStatus !== undefined && { provider_status: providerStatus }),
    ...(providerRequestId !== undefined && { provider_request_id: providerRequestId }),
    ...(hint !== undefined && { hint }),
  };
}
