import { Controller, Get, Headers, Query, Req, Res } from '@nestjs/common';
import { ApiBearerAuth, ApiHeader, ApiOkResponse, ApiPropertyOptional, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { ApiExtraModels } from '@nestjs/swagger';
import { IsIn, Matches } from 'class-validator';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Events } from '#registry';
import { IsText, Optional } from '../admin/name';
import { IsLimit } from '../admin/page.dto';
import { Allow } from '../auth/allow';
import { Authenticator, credentialsOf } from '../auth/authenticator';
import { invalid, Problem } from '../problem';
import { EventPageView, EventView, eventView } from './event.view';
import { EventStream } from './event-stream';

const seq = /^\d{1,18}$/;

class EventsQuery {
  @ApiPropertyOptional({ description: 'Only of the client of that name.' })
  @Optional()
  @IsText()
  client?: string;

  @ApiPropertyOptional({ description: 'Only behind the event of that `seq`; Last-Event-ID says the same.' })
  @Optional()
  @Matches(seq, { message: 'after must be the seq of an event' })
  after?: string;

  @IsLimit(200, 50)
  limit = 50;

  @ApiPropertyOptional({ enum: ['asc', 'desc'], default: 'asc', description: 'Of a page; desc: the newest first.' })
  @IsIn(['asc', 'desc'])
  order = 'asc';
}

@ApiTags('ops')
@ApiBearerAuth()
@Controller('v1/events')
export class EventsController {
  constructor(
    private readonly events: Events,
    private readonly stream: EventStream,
    private readonly authenticator: Authenticator,
  ) {}

  /** What changes, as it happens: server-sent events. With `Accept: application/json`, a page of what has happened. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiExtraModels(EventView, EventPageView)
  @ApiHeader({ name: 'Last-Event-ID', required: false, description: 'The stream goes on behind this event.' })
  @ApiOkResponse({
    description:
      'A stream: `id` is the seq of an event, `event` its kind, `data` its JSON. With `Accept: application/json`, a page of what has happened: that alone takes `limit` and `order`.',
    content: {
      'text/event-stream': { schema: { type: 'string' } },
      'application/json': { schema: { $ref: getSchemaPath(EventPageView) } },
    },
  })
  async list(
    @Query() query: EventsQuery,
    @Headers('accept') accept: string | undefined,
    @Headers('last-event-id') lastEventId: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (wantsPage(accept) || request.method === 'HEAD') return void reply.send(await this.#page(query));
    if (lastEventId !== undefined && !seq.test(lastEventId)) {
      throw invalid('/Last-Event-ID', 'Last-Event-ID must be the seq of an event');
    }
    refuseWordsOfPages(request.query as object);
    const { client, after = lastEventId } = query;
    const body = await this.stream.listen(reply.raw, {
      ...(client !== undefined && { client }),
      ...(after !== undefined && { after }),
      // A key that was revoked, or has expired, is not listened to for ever.
      mayListen: async () => {
        const caller = await this.authenticator.identify(credentialsOf(request.raw));
        return caller?.principal.kind === 'admin';
      },
    });
    void reply
      .headers({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        connection: 'close',
        'x-accel-buffering': 'no', // nginx gathers answers otherwise
      })
      .send(body);
  }

  async #page({ client, after, limit, order }: EventsQuery): Promise<EventPageView> {
    const { items, next } = await this.events.list({
      limit,
      newestFirst: order === 'desc',
      ...(client !== undefined && { client }),
      ...(after !== undefined && { after }),
    });
    return { items: items.map(eventView), ...(next !== undefined && { next_cursor: next }) };
  }
}

/** Who gives these wants a page, and would otherwise wait for one while a stream goes on. */
function refuseWordsOfPages(query: object): void {
  const errors = ['order', 'limit']
    .filter((name) => name in query)
    .map((name) => ({ pointer: `/${name}`, detail: `${name} is for pages, and this is a stream` }));
  if (errors.length === 0) return;
  const hint = 'For a page send "Accept: application/json"; a stream takes "client" and "after".';
  throw new Problem('validation_failed', `${errors.map(({ detail }) => detail).join('; ')}.`, { errors, hint });
}

function wantsPage(accept = ''): boolean {
  return /application\/json/i.test(accept) && !/text\/event-stream/i.test(accept);
}
