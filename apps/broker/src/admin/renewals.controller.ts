import { Controller, Get, HttpCode, Param, Post } from '@nestjs/common';
import { ApiBearerAuth, ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Audit, type By, Clients } from '#registry';
import { TokenService } from '#tokens';
import { Actor, Allow } from '../auth/allow';
import { Problem } from '../problem';
import { storeAway } from '../tokens/store-away';
import { NamePipe } from './name';
import { AttemptsView, attemptView, RequestedRenewalView, requestedRenewalView } from './renewal.view';

@ApiTags('clients')
@ApiBearerAuth()
@Controller('v1/clients/:name/renewals')
export class RenewalsController {
  constructor(
    private readonly clients: Clients,
    private readonly tokens: TokenService,
    private readonly audit: Audit,
  ) {}

  /** The last 50 attempts to renew, the newest first. */
  @Get()
  @Allow('admin', 'operator', 'viewer')
  @ApiOkResponse({ type: AttemptsView })
  async list(@Param('name', NamePipe) name: string): Promise<AttemptsView> {
    const { id } = await this.clients.get(name);
    const attempts = await this.tokens.attempts(id).catch(storeAway);
    return { items: attempts.map(attemptView) };
  }

  /** Renews now, whatever is planned. What the provider allows is kept to all the same. */
  @Post()
  @HttpCode(200)
  @Allow('admin', 'operator')
  @ApiOkResponse({ type: RequestedRenewalView, description: 'What came of it; also where the provider refused.' })
  async renew(@Param('name', NamePipe) name: string, @Actor() by: By): Promise<RequestedRenewalView> {
    const { id, enabled } = await this.clients.get(name);
    if (!enabled) throw new Problem('client_disabled', `The client "${name}" is neither renewed nor served.`);
    // Before anything is sent: while the audit cannot be written, nobody is asked.
    await this.audit.note(by, 'client.renewal_requested', `client:${name}`, {});
    const result = await this.tokens.renewNow(id).catch(storeAway);
    const [[state], [last]] = await Promise.all([this.tokens.states([id]), this.tokens.attempts(id)]).catch(storeAway);
    return requestedRenewalView(result, state!, last);
  }
}
