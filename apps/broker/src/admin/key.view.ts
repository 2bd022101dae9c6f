import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { KeyRecord } from '#registry';

/** A key as it is listed. The key itself is shown once, when it is made. */
export class KeyView {
  @ApiProperty({ format: 'uuid' })
  id: string;

  @ApiProperty({ example: 'tbk_3fA9Xk2Q', description: 'The first characters of the key.' })
  prefix: string;

  @ApiPropertyOptional({ format: 'date-time', nullable: true, type: String })
  expires_at: string | null;

  @ApiPropertyOptional({
    format: 'date-time',
    nullable: true,
    type: String,
    description: 'Exact to about ten seconds.',
  })
  last_used_at: string | null;

  @ApiPropertyOptional({ format: 'date-time', nullable: true, type: String })
  revoked_at: string | null;

  @ApiProperty({ format: 'date-time' })
  created_at: string;
}

export class NewKeyView extends KeyView {
  @ApiProperty({ description: 'The key, this once. Only a digest of it is stored.' })
  key: string;
}

export class KeyPageView {
  @ApiProperty({ type: [KeyView] })
  items: KeyView[];
}

export function keyView(key: KeyRecord): KeyView {
  return {
    id: key.id,
    prefix: key.prefix,
    expires_at: key.expiresAt?.toISOString() ?? null,
    last_used_at: key.lastUsedAt?.toISOString() ?? null,
    revoked_at: key.revokedAt?.toISOString() ?? null,
    created_at: key.createdAt.toISOString(),
  };
}
