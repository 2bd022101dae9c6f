import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import type { EventRecord } from '#registry';

export class EventView {
  @ApiProperty({ description: 'Rises from event to event, with gaps.' })
  seq: string;

  @ApiProperty({ format: 'date-time' })
  at: string;

  @ApiProperty({ enum: ['client.condition_changed', 'provider.breaker_changed'] })
  kind: string;

  @ApiPropertyOptional({ description: 'Name of the client.' })
  client?: string;

  @ApiPropertyOptional()
  provider?: string;

  @ApiProperty({
    type: 'object',
    additionalProperties: { type: 'string' },
    description: 'Of a client: condition, before, reason; of a breaker: origin, state (open or closed).',
    example: { condition: 'failing', before: 'fresh', reason: 'the provider does not answer' },
  })
  detail: unknown;
}

export class EventPageView {
  @ApiProperty({ type: [EventView] })
  items: EventView[];

  @ApiPropertyOptional({ description: 'What to give as `after` for the next page; absent on the last.' })
  next_cursor?: string;
}

export function eventView({ seq, at, kind, client, provider, detail }: EventRecord): EventView {
  return {
    ...{ seq, at: at.toISOString(), kind },
    ...(client !== null && { client }),
    ...(provider !== null && { provider }),
    detail,
  };
}

/** As a stream of events has it. JSON holds no line break, so that one `data` line is enough. */
export function eventText(event: EventRecord): string {
  return `id: ${event.seq}\nevent: ${event.kind}\ndata: ${JSON.stringify(eventView(event))}\n\n`;
}
