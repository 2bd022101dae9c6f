import { applyDecorators } from '@nestjs/common';
import { Type } from 'class-transformer';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsIn, IsInt, IsObject, Max, Min, ValidateNested } from 'class-validator';
import { conditions } from '#tokens';
import { AreLabels, IsLabel } from './labels';
import { IsName, IsText, Optional } from './name';
import { PageQuery } from './page.dto';
import { IsVersion } from './version';

const inputsDescription =
  'What the provider asks for. Secret ones are sealed at once and never come back out of any call.';
const capillaryInputs = { base_url: 'https://eu.api.capillarytech.com', key: '…', secret: '…' };

class RenewalDto {
  @ApiPropertyOptional({
    minimum: 1,
    maximum: 31_536_000,
    description:
      'Tokens are taken to live no longer than this, whatever the provider says: they are renewed the sooner.',
  })
  @Optional()
  @IsInt({ message: '$property must be a whole number of seconds' })
  @Min(1)
  @Max(31_536_000)
  max_ttl_seconds?: number;
}

/** How the client is to be renewed, where the provider's definition does not fit. */
const IsRenewal = (): PropertyDecorator =>
  applyDecorators(
    ApiPropertyOptional({ type: RenewalDto }),
    Optional(),
    IsObject(),
    ValidateNested(),
    Type(() => RenewalDto),
  );

export class CreateClientDto {
  @IsName()
  name: string;

  @ApiProperty({ example: 'capillary', description: 'Id of a provider definition.' })
  @IsText()
  provider: string;

  @IsVersion("A version of the provider's definition; absent: the one that GET /v1/providers tells.")
  provider_version?: number;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: inputsDescription,
    example: capillaryInputs,
  })
  @IsObject()
  inputs: Record<string, unknown>;

  @ApiPropertyOptional({ type: 'object', additionalProperties: { type: 'string' }, example: { team: 'loyalty' } })
  @Optional()
  @AreLabels()
  labels?: Record<string, string>;

  @IsRenewal()
  renewal?: RenewalDto;
}

export class UpdateClientDto {
  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string', nullable: true },
    description: 'Inputs to change; `null` takes an optional one away; those not named stay.',
  })
  @Optional()
  @IsObject()
  inputs?: Record<string, unknown>;

  @IsVersion(
    "Moves the client to this version of its provider's definition: its inputs are checked against it and tried first.",
  )
  provider_version?: number;

  @ApiPropertyOptional({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'All labels, in place of those there are.',
  })
  @Optional()
  @AreLabels()
  labels?: Record<string, string>;

  @IsRenewal()
  renewal?: RenewalDto;
}

export class VerifyQuery {
  @ApiPropertyOptional({
    enum: ['true', 'false'],
    default: 'true',
    description: 'false: store without trying at the provider first.',
  })
  @IsIn(['true', 'false'])
  verify = 'true';
}

export class ListClientsQuery extends PageQuery {
  @ApiPropertyOptional({ enum: conditions })
  @Optional()
  @IsIn(conditions, { message: `status must be one of ${conditions.join(', ')}` })
  status?: string;

  @ApiPropertyOptional()
  @Optional()
  @IsText()
  provider?: string;

  @ApiPropertyOptional({ example: 'team=loyalty' })
  @Optional()
  @IsLabel()
  label?: string;

  @ApiPropertyOptional({ description: 'Part of the name.' })
  @Optional()
  @IsText()
  q?: string;
}
