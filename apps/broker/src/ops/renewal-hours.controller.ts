import { Controller, Get, Query } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiProperty, ApiPropertyOptional, ApiTags } from '@nestjs/swagger';
import { type RenewalHour, RenewalHours, retentionDays } from '#registry';
import { IsText, Optional } from '../admin/name';
import { IsCursor, IsLimit, pageRequest, pageView } from '../admin/page.dto';
import { IsTime } from '../admin/time';
import { Allow } from '../auth/allow';
import { invalid } from '../problem';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const cursor = /^(\d{4}-\d\d-\d\dT[\d:.]+Z)\|[^|\0]+\|\w+\|\w*$/;

class RenewalHoursQuery {
  @ApiPropertyOptional()
  @Optional()
  @IsText(100)
  provider?: string;

  @ApiPropertyOptional({
    format: 'date-time',
    description: 'The hour that this is in is the first; absent: 24 h before `to`.',
  })
  @Optional()
  @IsTime()
  from?: string;

  @ApiPropertyOptional({ format: 'date-time', description: 'Hours that begin before this; absent: now.' })
  @Optional()
  @IsTime()
  to?: string;

  @IsLimit(1_000, 1_000)
  limit = 1_000;

  @IsCursor()
  cursor?: string;
}

class RenewalHourView {
  @ApiProperty({ format: 'date-time', description: 'The beginning of the hour.' })
  hour: string;

  @ApiProperty()
  provider: string;

  @ApiProperty({ enum: ['renewed', 'kept', 'failed', 'discarded', 'held_back'] })
  outcome: string;

  @ApiPropertyOptional({ description: 'The code of the failure, or why a token was discarded or a renewal held back.' })
  reason?: string;

  @ApiProperty()
  count: number;

  @ApiProperty()
  duration_ms_avg: number;

  @ApiProperty()
  duration_ms_max: number;

  @ApiProperty({ description: 'How late the latest of them was begun.' })
  lateness_ms_max: number;
}

class RenewalHoursView {
  @ApiProperty({ type: [RenewalHourView] })
  items: RenewalHourView[];

  @ApiPropertyOptional()
  next_cursor?: string;
}

@ApiTags('ops')
@ApiBearerAuth()
@Controller('v1/renewals')
export class RenewalHoursController {
  constructor(private readonly hours: RenewalHours) {}

  /** What renewals came to, hour by hour, the oldest first; up to a minute behind. Kept for 90 days. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({
    type: RenewalHoursView,
    description:
      'The oldest first. Each replica adds its sums once a minute, and when it ends: just after its start there are none of it yet.',
  })
  async list(@Query() { provider, from, to, ...page }: RenewalHoursQuery): Promise<RenewalHoursView> {
    const end = to === undefined ? Date.now() : Date.parse(to);
    const begin = from === undefined ? end - dayMs : Date.parse(from);
    if (begin >= end) throw invalid('/from', 'from must be before to');
    if (end - begin > retentionDays * dayMs)
      throw invalid('/from', `from must be ${retentionDays} days before to, or later`);
    const found = await this.hours.list({
      ...pageRequest(page, (after) => isTime(cursor.exec(after)?.[1])),
      ...{ from: new Date(Math.floor(begin / hourMs) * hourMs), to: new Date(end) },
      ...(provider !== undefined && { provider }),
    });
    return pageView(found, renewalHourView);
  }
}

/** As we write it, and on the calendar. */
function isTime(text = ''): boolean {
  const ms = Date.parse(text);
  return ms > 0 && new Date(ms).toISOString() === text;
}

function renewalHourView({ hour, provider, outcome, reason, count, ...times }: RenewalHour): RenewalHourView {
  return {
    ...{ hour: hour.toISOString(), provider, outcome },
    ...(reason !== '' && { reason }),
    count,
    duration_ms_avg: Math.round(times.durationMsSum / count),
    duration_ms_max: times.durationMsMax,
    lateness_ms_max: times.latenessMsMax,
  };
}
