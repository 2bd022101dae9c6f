import { Controller, Get } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Clients } from '#registry';
import { conditions, TokenService } from '#tokens';
import { Allow } from '../auth/allow';
import { storeAway } from '../tokens/store-away';
import { SummaryView } from './summary.view';

const shown = 5;

@ApiTags('ops')
@ApiBearerAuth()
@Controller('v1/summary')
export class SummaryController {
  constructor(
    private readonly clients: Clients,
    private readonly tokens: TokenService,
  ) {}

  /** What is healthy, what will break first, and what comes next. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: SummaryView })
  async summary(): Promise<SummaryView> {
    const [counts, overview] = await Promise.all([
      this.clients.countByCondition(),
      this.tokens.overview(shown).catch(storeAway),
    ]);
    const ids = [...overview.next, ...overview.leastRunway].map(({ clientId }) => clientId);
    const clients = await this.clients.conditionsOf(ids);
    const at = (ms: number): string => new Date(Date.now() + ms).toISOString();
    return {
      clients: Object.fromEntries(conditions.map((condition) => [condition, counts.get(condition) ?? 0])),
      total: [...counts.values()].reduce((sum, count) => sum + count, 0),
      queue: { depth: overview.depth, due: overview.due },
      least_runway: overview.leastRunway.flatMap(({ clientId, runwayMs }) => {
        const client = clients.get(clientId);
        if (!client) return [];
        const { name, condition, reason } = client;
        const left = Math.max(0, runwayMs);
        const why = { condition, ...(reason !== null && { reason }) };
        return [{ client: name, runway_seconds: Math.floor(left / 1_000), at: at(left), ...why }];
      }),
      next_renewals: overview.next.flatMap(({ clientId, dueInMs }) => {
        const client = clients.get(clientId);
        return client === undefined ? [] : [{ client: client.name, at: at(dueInMs) }];
      }),
      providers: this.tokens.breakers().flatMap(({ provider, origin, state }) => {
        return state === 'closed' ? [] : [{ provider, origin, breaker: state }];
      }),
    };
  }
}
