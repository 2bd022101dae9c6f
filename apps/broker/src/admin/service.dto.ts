import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { IsName } from './name';

export class CreateServiceDto {
  @IsName()
  name: string;
}

export class ServiceView {
  @ApiProperty()
  name: string;

  @ApiProperty({ format: 'date-time' })
  created_at: string;
}

export class ServicePageView {
  @ApiProperty({ type: [ServiceView] })
  items: ServiceView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

export function serviceView({ name, createdAt }: { name: string; createdAt: Date }): ServiceView {
  return { name, created_at: createdAt.toISOString() };
}
