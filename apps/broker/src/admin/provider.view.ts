import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { DefinitionVersion, ListedProvider, VersionRecord } from '#registry';

type Open = Record<string, unknown>;
const open = { type: 'object', additionalProperties: true } as const;

export class FaultView {
  @ApiProperty({ description: 'JSON pointer into the definition.' })
  pointer: string;

  @ApiProperty()
  detail: string;

  @ApiPropertyOptional({ description: 'Of its text, from 1.' })
  line?: number;
}

/** A provider as it is listed: enough to draw the form for a new client. */
export class ProviderView {
  @ApiProperty({ example: 'capillary' })
  id: string;

  @ApiProperty({ description: 'The version that a new client gets; the ETag.' })
  version: number;

  @ApiProperty({ description: 'It came with the broker.' })
  preset: boolean;

  @ApiProperty({ description: 'So many clients use it, in whatever version.' })
  clients: number;

  @ApiPropertyOptional()
  title?: string;

  @ApiPropertyOptional({ description: "The vendor's documentation." })
  docs?: string;

  @ApiPropertyOptional({ ...open, description: 'What is asked for each client, by name.' })
  inputs?: Open;

  @ApiPropertyOptional({ description: 'Why it cannot be used, where it cannot: its row was changed by hand, say.' })
  fault?: string;
}

export class ProviderPageView {
  @ApiProperty({ type: [ProviderView] })
  items: ProviderView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

export class DefinitionView {
  @ApiProperty({ example: 'capillary' })
  id: string;

  @ApiProperty()
  version: number;

  @ApiProperty({ description: 'It came with the broker.' })
  preset: boolean;

  @ApiPropertyOptional()
  title?: string;

  @ApiPropertyOptional({ description: "The vendor's documentation." })
  docs?: string;

  @ApiProperty({ ...open, description: 'What is asked for each client, by name.' })
  inputs: Open;

  @ApiProperty(open)
  definition: Open;

  @ApiProperty({ description: 'The YAML as it was given.' })
  source: string;

  @ApiProperty({ type: [FaultView], description: 'What is not wrong but worth a second look.' })
  warnings: FaultView[];

  @ApiProperty({ format: 'date-time' })
  created_at: string;

  @ApiProperty({ example: 'admin:bootstrap' })
  created_by: string;
}

export class VersionView {
  @ApiProperty()
  version: number;

  @ApiProperty()
  preset: boolean;

  @ApiProperty({ description: 'SHA-256 of the source, in hex.' })
  digest: string;

  @ApiProperty({ description: 'So many clients go by it.' })
  clients: number;

  @ApiProperty({ format: 'date-time' })
  created_at: string;

  @ApiProperty({ example: 'admin:bootstrap' })
  created_by: string;
}

export class VersionPageView {
  @ApiProperty({ type: [VersionView] })
  items: VersionView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

export class ValidationView {
  @ApiProperty()
  ok: boolean;

  @ApiProperty({ type: [FaultView] })
  faults: FaultView[];

  @ApiProperty({ type: [FaultView] })
  warnings: FaultView[];
}

export function providerView({ provider, definition, ...listed }: ListedProvider): ProviderView {
  const { title, docs, inputs } = definition ?? {};
  return {
    id: provider,
    ...listed,
    ...(title !== undefined && { title }),
    ...(docs !== undefined && { docs }),
    ...(inputs && { inputs: { ...inputs } }),
  };
}

export function definitionView(found: DefinitionVersion): DefinitionView {
  const { version, preset, definition, source, warnings, createdAt, createdBy } = found;
  const { id, title, docs, inputs } = definition;
  return {
    ...{ id, version, preset },
    ...(title !== undefined && { title }),
    ...(docs !== undefined && { docs }),
    inputs: { ...inputs },
    definition: { ...definition },
    source,
    warnings: [...warnings],
    created_at: createdAt.toISOString(),
    created_by: createdBy,
  };
}

export function versionView({ version, preset, digest, clients, createdAt, createdBy }: VersionRecord): VersionView {
  return { version, preset, digest, clients, created_at: createdAt.toISOString(), created_by: createdBy };
}
