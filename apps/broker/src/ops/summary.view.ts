import { ApiProperty } from '@nestjs/swagger';

class QueueView {
  @ApiProperty({ description: 'Clients in the renewal queue.' })
  depth: number;

  @ApiProperty({ description: 'Those whose renewal is due now.' })
  due: number;
}

class RunwayView {
  @ApiProperty()
  client: string;

  @ApiProperty({ description: 'Seconds until its token stops being servable; 0 when it has.' })
  runway_seconds: number;
}

class NextRenewalView {
  @ApiProperty()
  client: string;

  @ApiProperty({ format: 'date-time' })
  at: string;
}

export class SummaryView {
  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'integer' },
    description: 'How many clients are in each condition.',
    example: { fresh: 12, renewing: 0, failing: 1, credentials_refused: 0, disabled: 2 },
  })
  clients: Record<string, number>;

  @ApiProperty()
  total: number;

  @ApiProperty({ type: QueueView })
  queue: QueueView;

  @ApiProperty({
    type: [RunwayView],
    description: 'Clients in trouble, those first whose token ends first: when services will begin to fail.',
  })
  least_runway: RunwayView[];

  @ApiProperty({ type: [NextRenewalView] })
  next_renewals: NextRenewalView[];
}
